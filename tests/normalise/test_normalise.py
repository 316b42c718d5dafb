import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab_exporter.call import Call
from llmlab_exporter.dialects import DIALECTS
from llmlab_exporter.normalise import AHEAD_NS, EARLIEST_NS, dialect_of_markers, dialect_of_scope, normalise
from llmlab_exporter.reading.origin import Defaults
from llmlab_exporter.span import Decoded, RawSpan, Scope, SpanGroup, Value
from normalise.spans import CHAT, DAY_NS, NOW_NS, call, span, take

UINT64 = st.integers(0, 2**64 - 1)


class TestOneBadSpan:
    @pytest.mark.parametrize(
        ("fields", "reason", "words"),
        [
            ({"trace_id": b"short"}, "bad_id", "a trace id of 5 bytes; it must have 16"),
            ({"trace_id": b""}, "bad_id", "a trace id of 0 bytes"),
            ({"trace_id": bytes(16)}, "bad_id", "a trace id of zeros"),
            ({"span_id": bytes(9)}, "bad_id", "a span id of 9 bytes; it must have 8"),
            ({"span_id": bytes(8)}, "bad_id", "a span id of zeros"),
            ({"start_ns": 0, "end_ns": 0}, "bad_time", "an end at 0 ns"),
            ({"end_ns": EARLIEST_NS - 1}, "bad_time", "before 2020"),
            ({"end_ns": NOW_NS + DAY_NS + 1}, "bad_time", "set the sender's clock"),
            ({"end_ns": 2**64 - 1}, "bad_time", "18446744073709551615"),
        ],
    )
    def test_is_refused_with_a_reason_and_its_neighbours_are_taken(
        self, fields: dict[str, Any], reason: str, words: str
    ) -> None:
        intake = take(span(), span(**fields), span())
        assert len(intake.calls) == 2
        assert intake.rejected == {reason: 1}
        assert words in intake.rejection

    def test_is_nobodys_business_if_it_is_no_llm_call(self) -> None:
        intake = take(span({"db.system": "x"}, trace_id=b"short"))
        assert (intake.ignored, intake.rejected, intake.rejection) == (1, {}, "")

    def test_is_named_by_its_ids(self) -> None:
        intake = take(span(), span(end_ns=1))
        assert intake.rejection.startswith(
            "span 0001020304050607 of trace 000102030405060708090a0b0c0d0e0f has an end at 1 ns since 1970"
        )

    def test_the_first_refusals_are_told_and_all_are_counted(self) -> None:
        intake = take(span(trace_id=b"short"), span(span_id=b""), *[span(end_ns=1)] * 10)
        assert intake.rejected == {"bad_id": 2, "bad_time": 10}
        assert "a trace id of 5 bytes" in intake.rejection
        assert "a span id of 0 bytes" in intake.rejection
        assert intake.rejection.endswith("; and 7 more spans were refused")

    def test_broken_and_skipped_spans_of_the_decoder_are_counted(self) -> None:
        intake = normalise(Decoded([], broken=["the span at byte 7 is no span", "another"], skipped=3))
        assert intake.rejected == {"malformed": 2}
        assert (intake.rejection, intake.ignored) == ("the span at byte 7 is no span; another", 3)

    def test_that_makes_its_dialect_fail_is_refused_and_logged(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(found: RawSpan, _scope: Scope) -> None:
            assert found.name != "odd", "no such thing"

        clumsy = replace(DIALECTS[0], name="clumsy", markers=tuple(CHAT), read=fail)
        monkeypatch.setattr("llmlab_exporter.normalise.DIALECTS", (clumsy,))
        monkeypatch.setattr("llmlab_exporter.normalise._RANKS", dict.fromkeys(CHAT, 0))
        intake = take(span(), span(name="odd"), scope="some.app")
        assert (intake.ignored, intake.rejected) == (1, {"unreadable": 1})
        assert "the dialect clumsy cannot read" in intake.rejection
        assert "no such thing" in caplog.text

    @given(st.binary(max_size=17), st.binary(max_size=9), st.binary(max_size=9), UINT64, UINT64)
    def test_is_a_call_that_can_be_stored_or_a_refusal(
        self, trace_id: bytes, span_id: bytes, parent_id: bytes, start_ns: int, end_ns: int
    ) -> None:
        fields: dict[str, Any] = {"trace_id": trace_id, "span_id": span_id, "parent_id": parent_id}
        intake = take(span(start_ns=start_ns, end_ns=end_ns, **fields))
        assert len(intake.calls) + sum(intake.rejected.values()) == 1
        for found in intake.calls:
            assert (len(found.trace_id), len(found.span_id)) == (16, 8)
            assert len(found.parent_id) in {0, 8}
            assert EARLIEST_NS <= found.start_ns <= found.end_ns < 2**63


class TestTimes:
    @pytest.mark.parametrize("end_ns", [EARLIEST_NS, NOW_NS + DAY_NS])
    def test_the_bounds_are_accepted(self, end_ns: int) -> None:
        assert call(start_ns=0, end_ns=end_ns).end_ns == end_ns

    @pytest.mark.parametrize(
        ("start_ns", "end_ns", "expected"),
        [
            (0, NOW_NS, (NOW_NS, NOW_NS)),
            (NOW_NS, 0, (NOW_NS, NOW_NS)),
            (NOW_NS + 5, NOW_NS, (NOW_NS, NOW_NS)),
            (1, NOW_NS, (NOW_NS, NOW_NS)),
            (NOW_NS - 7, NOW_NS, (NOW_NS - 7, NOW_NS)),
        ],
        ids=["no start", "no end", "end before start", "absurd start", "right"],
    )
    def test_a_call_is_counted_when_it_ended(self, start_ns: int, end_ns: int, expected: tuple[int, int]) -> None:
        found = call(start_ns=start_ns, end_ns=end_ns)
        assert (found.start_ns, found.end_ns) == expected

    def test_by_default_our_clock_decides(self) -> None:
        now_ns = time.time_ns()
        spans = [span(end_ns=now_ns), span(end_ns=now_ns + AHEAD_NS + 60 * 10**9)]
        intake = normalise(Decoded([SpanGroup({}, Scope("", ""), spans)]))
        assert (len(intake.calls), intake.rejected) == (1, {"bad_time": 1})


class TestParents:
    @pytest.mark.parametrize(
        ("parent_id", "expected"), [(b"", b""), (bytes(8), b""), (b"abc", b""), (b"8" * 8, b"8" * 8)]
    )
    def test_only_a_whole_parent_counts(self, parent_id: bytes, expected: bytes) -> None:
        assert call(parent_id=parent_id).parent_id == expected


class TestOrigin:
    def origin(self, resource: dict[str, Value], defaults: Defaults | None = None) -> tuple[str, str, str, str]:
        [found] = take(span(), resource=resource, defaults=defaults).calls
        return found.org, found.project, found.service, found.environment

    def test_is_read_off_the_resource(self) -> None:
        resource: dict[str, Value] = {
            "llmlab.org": "acme",
            "llmlab.project": "shop",
            "service.name": "api",
            "deployment.environment.name": "prod",
            "deployment.environment": "old",
        }
        assert self.origin(resource) == ("acme", "shop", "api", "prod")

    def test_the_environment_may_have_its_old_name(self) -> None:
        assert self.origin({"deployment.environment": "staging"})[3] == "staging"

    def test_what_is_not_said_is_the_default(self) -> None:
        assert self.origin({}) == ("default", "default", "unknown_service", "default")
        assert self.origin({"llmlab.org": ""}, Defaults("o", "p", "s", "e")) == ("o", "p", "s", "e")

    def test_names_are_bounded_and_printable(self) -> None:
        service = self.origin({"service.name": "a\nb\x1b[31m" + "c" * 1000})[2]
        assert service == "ab[31m" + "c" * 250


class TestChoiceOfDialect:
    @pytest.mark.parametrize(
        ("scope", "dialect"),
        [
            ("opentelemetry.instrumentation.genai.openai", "genai"),
            ("opentelemetry.instrumentation.openai_v2", "genai"),
            ("opentelemetry.instrumentation.google_genai", "genai"),
            ("opentelemetry.util.genai.handler", "genai"),
            ("com.anthropic.sdk.python", "anthropic_sdk"),
            ("llmlab.instrumentation.openai", "llmlab"),
            ("some.app", "genai"),
            ("", "genai"),
        ],
    )
    def test_the_scope_decides_and_else_the_markers(self, scope: str, dialect: str) -> None:
        assert call(CHAT, scope=scope).dialect == dialect

    def test_nobody_claims_a_strangers_scope(self) -> None:
        assert dialect_of_scope("some.app") is None
        assert dialect_of_markers({"db.system": "x"}) is None

    def test_the_longest_prefix_wins_over_the_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        broad = replace(DIALECTS[0], name="broad", scopes=("ai.",))
        exact = replace(DIALECTS[0], name="exact", scopes=("ai.sdk",))
        monkeypatch.setattr("llmlab_exporter.normalise.DIALECTS", (broad, exact))
        dialect_of_scope.cache_clear()
        try:
            assert dialect_of_scope("ai.sdk.v7") is exact
            assert dialect_of_scope("ai.other") is broad
        finally:
            dialect_of_scope.cache_clear()


def test_the_served_model_goes_before_the_requested_one() -> None:
    def model(**changes: Value) -> str:
        named = {f"gen_ai.{side}.model": name for side, name in changes.items()}
        return call({**CHAT, **named}).model

    assert model(response="served", request="asked") == "served"
    assert model(response="", request="asked") == "asked"
    assert model(response="", request="") == ""


def test_a_call_keeps_its_reading_as_written() -> None:
    found: Call = call({**CHAT, "gen_ai.provider.name": "az.ai.openai"})
    assert (found.provider, found.reading.provider) == ("azure.ai.openai", "az.ai.openai")
