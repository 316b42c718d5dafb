"""`POST /api/events/track` and `GET /api/recommendations`, in front of a real pipeline and ledger."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.testclient import TestClient

from llmlab.money import YOCTO_PER_USD
from llmlab.pricing.pricer import Pricer
from llmlab.usage import Usage
from llmlab_exporter.api import events, recommendations
from llmlab_exporter.api.reported_call import BadReport, read_call
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.parcels import unpack
from llmlab_exporter.ledger.writer import Committed, Writer
from llmlab_exporter.pipeline import Pipeline
from llmlab_exporter.reading.origin import Defaults
from llmlab_exporter.telemetry import Telemetry

PROMISED: dict[str, Any] = {
    "provider": "openai",
    "model": "gpt-4",
    "input_tokens": 1000,
    "output_tokens": 500,
    "metadata": {"feature": "summarization"},
}
NOW_NS = 1_790_000_000_000_000_000


class Exporter:
    """The pipeline behind the route."""

    def __init__(self, ledger: Path) -> None:
        self.book = Book(ledger)
        self.registry = CollectorRegistry()
        self.writer = Writer(self.book)
        self.writer.start()
        self.not_ready = ""
        pipeline = Pipeline(Pricer(), self.writer, Telemetry(self.registry))
        self.client = TestClient(Starlette(routes=events.routes(pipeline, lambda: self.not_ready)))

    def track(self, **changes: Any) -> tuple[int, dict[str, Any]]:
        """Post the promised call with changes, and return the status and the answer, its numbers exact."""
        answer = self.client.post("/api/events/track", json={**PROMISED, **changes})
        return answer.status_code, json.loads(answer.text, parse_float=Decimal)

    def rows(self) -> list[dict[str, Any]]:
        """Return what is on its way to the store."""

        def cut(book: Book) -> list[bytes]:
            parcel = book.outbox.cut(1_000_000)
            return parcel.payloads if parcel else []

        return unpack(self.writer.run(cut)).to_pylist()

    def counted(self) -> tuple[int, int]:
        """Return the calls and the cost in yocto-USD that the ledger has summed up."""
        tallies = self.book.totals.by_series.values()
        return sum(tally.requests for tally in tallies), sum(tally.cost_yocto for tally in tallies)


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[Exporter]:
    exporter = Exporter(tmp_path / "ledger.sqlite")
    yield exporter
    exporter.writer.stop()


class TestAccepted:
    def test_the_promised_call_costs_what_was_promised(self, exporter: Exporter) -> None:
        answer = exporter.client.post("/api/events/track", json=PROMISED)
        assert answer.status_code == 200
        assert json.loads(answer.text, parse_float=Decimal) == {"success": True, "cost": Decimal("0.06")}

    def test_it_is_counted_and_stored(self, exporter: Exporter) -> None:
        exporter.track()
        assert exporter.counted() == (1, 6 * YOCTO_PER_USD // 100)
        (row,) = exporter.rows()
        assert (row["provider"], row["model"], row["operation"]) == ("openai", "gpt-4", "chat")
        assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (1000, 500, "reported")
        assert (row["feature"], row["dialect"], row["outcome"]) == ("summarization", "api", "ok")
        assert row["cost_usd"] == Decimal("0.06")

    def test_it_is_counted_as_received(self, exporter: Exporter) -> None:
        exporter.track(id="one")
        exporter.track(id="one")
        for result in ("accepted", "redelivered"):
            assert exporter.registry.get_sample_value("llmlab_exporter_spans_total", {"result": result}) == 1

    def test_money_keeps_every_digit(self, exporter: Exporter) -> None:
        _, answer = exporter.track(model="text-embedding-3-small", input_tokens=1, output_tokens=0)
        assert answer["cost"] == Decimal("0.00000002")

    def test_an_unknown_model_is_never_free(self, exporter: Exporter) -> None:
        status, answer = exporter.track(model="unknown-model-xyz")
        assert (status, answer["success"], answer["cost"], answer["reason"]) == (200, True, None, "unknown_model")
        (row,) = exporter.rows()
        assert (row["cost_usd"], row["cost_source"]) == (None, "none")

    def test_parts_of_the_totals_have_their_own_prices(self, exporter: Exporter) -> None:
        model = "gpt-4o-2024-08-06"  # $2.50, cached $1.25, output $10 a million
        _, answer = exporter.track(model=model, input_tokens=1_000_000, output_tokens=100_000, cache_read=400_000)
        assert answer["cost"] == Decimal("3.00")

    def test_a_batch_and_a_tier_have_their_own_prices(self, exporter: Exporter) -> None:
        usual = exporter.track(model="gpt-5-mini")[1]["cost"]
        assert exporter.track(model="gpt-5-mini", batch=True)[1]["cost"] == usual / 2
        assert exporter.track(model="gpt-5-mini", tier="flex")[1]["cost"] == usual / 2

    def test_everything_that_is_said_is_stored(self, exporter: Exporter) -> None:
        ended = datetime.now(tz=UTC).replace(microsecond=250_000) - timedelta(hours=1)
        tags = {"feature": "f", "user": 42, "run": "r", "session": "s", "project": "p", "other": {"deep": 1}}
        exporter.track(
            metadata=tags,
            response_id="chatcmpl-1",
            operation="text_completion",
            tier="flex",
            timestamp=ended.isoformat(),
            duration_s=2.5,
            service="shop",
            environment="prod",
        )
        (row,) = exporter.rows()
        assert (row["feature"], row["user_id"], row["run_id"], row["session_id"]) == ("f", "42", "r", "s")
        assert (row["project"], row["service_name"], row["environment"]) == ("p", "shop", "prod")
        assert (row["response_id"], row["operation"], row["tier"]) == ("chatcmpl-1", "text_completion", "flex")
        assert row["ended_at"] == ended
        assert row["ended_at"] - row["started_at"] == timedelta(seconds=2.5)

    def test_providers_are_called_by_the_names_of_the_conventions(self, exporter: Exporter) -> None:
        exporter.track(provider="google", model="gemini-2.5-flash")
        assert exporter.rows()[0]["provider"] == "gcp.gemini"

    def test_embeddings_need_no_output(self, exporter: Exporter) -> None:
        status, answer = exporter.track(model="text-embedding-3-small", operation="embeddings", output_tokens=None)
        assert (status, answer["cost"]) == (200, Decimal("0.00002"))
        assert exporter.rows()[0]["output_tokens"] is None

    @pytest.mark.parametrize("measure", ["images", "characters", "pages", "audio_ms", "rerank_searches"])
    def test_what_is_not_billed_by_tokens_needs_none(self, exporter: Exporter, measure: str) -> None:
        counts: dict[str, Any] = {"input_tokens": None, "output_tokens": None, measure: 3}
        status, answer = exporter.track(model="made-by-us", **counts)
        assert (status, answer["cost"], answer["reason"]) == (200, None, "unknown_model")
        (row,) = exporter.rows()
        assert (row[measure], row["input_tokens"], row["output_tokens"]) == (3, None, None)

    def test_speech_is_billed_by_the_character(self, exporter: Exporter) -> None:
        _, answer = exporter.track(model="tts-1", characters=1000, input_tokens=None, output_tokens=None)
        assert answer["cost"] == Decimal("0.015")

    def test_null_is_not_said(self, exporter: Exporter) -> None:
        assert exporter.track(metadata=None, tier=None, id=None)[0] == 200


class TestRepeated:
    @pytest.mark.parametrize("name", ["id", "idempotency_key"])
    def test_the_same_key_counts_once(self, exporter: Exporter, name: str) -> None:
        first = exporter.track(**{name: "one"})[1]
        again = exporter.track(**{name: "one"})[1]
        assert first == {"success": True, "cost": Decimal("0.06")}
        assert again == {"success": True, "cost": Decimal("0.06"), "repeated": True}
        assert exporter.counted()[0] == len(exporter.rows()) == 1

    def test_another_key_counts(self, exporter: Exporter) -> None:
        exporter.track(id="one")
        exporter.track(id="two")
        assert exporter.counted()[0] == 2

    def test_without_a_key_every_call_counts(self, exporter: Exporter) -> None:
        exporter.track()
        exporter.track()
        assert exporter.counted()[0] == 2


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"provider": None}, "provider is missing"),
        ({"model": ""}, "model is ''"),
        ({"model": 4}, "model is 4"),
        ({"model": "x" * 257}, "model is 'xxx"),
        ({"model": "a\nb"}, r"model is 'a\\nb'"),
        ({"input_tokens": None}, "input_tokens is missing"),
        ({"output_tokens": None}, "output_tokens is missing"),
        ({"input_tokens": -1}, "input_tokens is -1"),
        ({"input_tokens": 1.5}, "input_tokens is 1.5"),
        ({"input_tokens": True}, "input_tokens is True"),
        ({"input_tokens": 10**12 + 1}, "input_tokens is 1000000000001"),
        ({"output_tokens": "many"}, "output_tokens is 'many'"),
        ({"cache_read": 1001}, "contradict"),
        ({"cache_read": -5}, "cache_read is -5"),
        ({"metadata": "feature"}, "metadata is 'feature'"),
        ({"id": ""}, "id is ''"),
        ({"batch": "yes"}, "batch is 'yes'"),
        ({"duration_s": -1}, "duration_s is -1"),
        ({"duration_s": 1e300}, "duration_s is 1e"),
        ({"timestamp": "yesterday"}, "timestamp is 'yesterday'"),
        ({"timestamp": "2026-02-08T14:05:12"}, "timestamp is '2026"),
        ({"timestamp": 1_790_000_000}, "timestamp is 1790000000"),
        ({"timestamp": "2019-12-31T23:59:59Z"}, "before 2020"),
        ({"timestamp": "2400-01-01T00:00:00Z"}, "a day ahead"),
        ({"input_token": 5}, "unknown: 'input_token'"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_would_be_right(
    exporter: Exporter, changes: dict[str, Any], named: str
) -> None:
    status, answer = exporter.track(**changes)
    assert (status, set(answer)) == (400, {"error", "hint"})
    assert named.replace("\\\\", "\\") in answer["error"]
    assert exporter.counted() == (0, 0)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'"text"', b'{"provider": NaN}'])
def test_what_is_no_json_object_is_refused(exporter: Exporter, body: bytes) -> None:
    answer = exporter.client.post("/api/events/track", content=body)
    assert answer.status_code == 400
    assert '"provider": "openai"' in answer.json()["hint"]


def test_a_large_body_is_refused(exporter: Exporter) -> None:
    status, answer = exporter.track(metadata={"text": "x" * events.MAX_BODY_BYTES})
    assert status == 400
    assert "more than 65536 bytes" in answer["error"]


@given(
    st.dictionaries(
        st.sampled_from([*PROMISED, "timestamp", "duration_s", "cache_read", "id", "tier", "batch"]),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.just({"a": 1})),
    )
)
def test_a_body_is_read_or_refused(changes: dict[str, Any]) -> None:
    with suppress(BadReport):
        call = read_call(json.dumps({**PROMISED, **changes}).encode(), NOW_NS, Defaults())
        assert call.reading.usage.known
        assert 0 < call.start_ns <= call.end_ns


def test_every_count_can_be_reported() -> None:
    counts = {field: 0 for field in Usage._fields if field not in {"input", "output"}}
    usage = read_call(json.dumps({**PROMISED, **counts}).encode(), NOW_NS, Defaults()).reading.usage
    assert usage == Usage(1000, 500, **counts)


class TestUnavailable:
    def test_a_full_exporter_says_when_to_try_again(self, exporter: Exporter) -> None:
        exporter.not_ready = "20000000 calls wait for the store"
        answer = exporter.client.post("/api/events/track", json=PROMISED)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json() == {"error": "20000000 calls wait for the store", "hint": "try again in a second"}

    def test_a_ledger_that_does_not_take_the_call_is_no_success(
        self, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: object) -> Future[Committed]:
            failed: Future[Committed] = Future()
            failed.set_exception(sqlite3.OperationalError("database or disk is full"))
            return failed

        monkeypatch.setattr(exporter.writer, "commit", fail)
        status, answer = exporter.track()
        assert status == 503
        assert "disk is full" in answer["error"]


def test_recommendations_are_a_list() -> None:
    advice: list[dict[str, object]] = []
    client = TestClient(Starlette(routes=recommendations.routes(lambda: advice)))
    assert client.get("/api/recommendations").json() == []
    advice.append({"title": "Use batch", "savings_percentage": 50, "confidence": 0.9})
    assert client.get("/api/recommendations").json() == advice
