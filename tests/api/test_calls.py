import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from starlette.applications import Starlette
from starlette.testclient import TestClient

from calls import START_NS, call
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.api import calls
from llmlab_exporter.assess import assess
from llmlab_exporter.call import Call
from llmlab_exporter.rows import record_batch
from llmlab_exporter.store.store import Store, open_embedded

PRICER = Pricer()
SECOND_NS = 10**9


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = open_embedded(tmp_path_factory.mktemp("calls") / "engine")
    opened.migrate()
    lines = assess(
        [
            *(call(number, start_ns=START_NS + number * SECOND_NS, feature="search") for number in range(1, 8)),
            call(8, start_ns=START_NS + 8 * SECOND_NS, provider_cost=Decimal("0.5"), claimed_cost=Decimal("0.1")),
            unknown(9),
            call(10, start_ns=START_NS + 8 * SECOND_NS, user="u1", run="r1"),
        ],
        PRICER,
    )
    opened.insert(pa.Table.from_batches([record_batch(lines)]), "b1")
    yield opened
    opened.close()


def unknown(number: int) -> Call:
    made = call(number, model="mystery", start_ns=START_NS, request_model="mystery", response_model="mystery")
    return made._replace(project="research")


def get(store: Store | None, path: str) -> tuple[int, Any]:
    with TestClient(Starlette(routes=calls.routes(lambda: store))) as client:
        answer = client.get(path)
    return answer.status_code, json.loads(answer.text, parse_float=Decimal)


def listed(store: Store, query: str) -> list[int]:
    status, answer = get(store, f"/api/calls{query}")
    assert status == 200, answer
    return [int(each["trace_id"], 16) for each in answer["calls"]]


def test_the_latest_calls_come_first(store: Store) -> None:
    assert listed(store, "?limit=4") == [10, 8, 7, 6]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_join_without_gap_or_repetition(store: Store, limit: int) -> None:
    seen: list[int] = []
    cursor = ""
    while True:
        status, answer = get(store, f"/api/calls?limit={limit}{cursor}")
        assert status == 200
        seen += [int(each["trace_id"], 16) for each in answer["calls"]]
        if answer["next_cursor"] is None:
            break
        assert len(answer["calls"]) == limit
        cursor = f"&cursor={answer['next_cursor']}"
    assert seen == [10, 8, 7, 6, 5, 4, 3, 2, 1, 9]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?unpriced=true", [9]),
        ("?model=mystery", [9]),
        ("?project=research", [9]),
        ("?provider=openai&limit=1", [10]),
        ("?provider=nobody", []),
        ("?user=u1", [10]),
        ("?run=r1", [10]),
        ("?feature=search&limit=1", [7]),
        (f"?trace_id={5:032x}", [5]),
        ("?from=2026-09-21T14:13:27Z&to=2026-09-21T14:13:28.1Z", [7]),
        ("?to=2026-09-21", []),
    ],
)
def test_calls_are_selected_by_what_is_asked(store: Store, query: str, numbers: list[int]) -> None:
    assert listed(store, query) == numbers


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?limit=0", "limit='0'"),
        ("?limit=9999", "1000"),
        ("?cursor=x", "cursor='x'"),
        ("?trace_id=zz", "'zz'"),
        ("?unpriced=1", "unpriced='1'"),
        ("?from=yesterday", "from='yesterday'"),
        ("?to=9999-01-01", "2200"),
        ("?modle=gpt", "'modle'"),
        ("/zz/1", "'zz'"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(store: Store, query: str, named: str) -> None:
    status, answer = get(store, f"/api/calls{query}")
    assert status == 400
    assert named in answer["error"]
    assert answer["hint"]


def shown(store: Store, number: int) -> dict[str, Any]:
    status, answer = get(store, f"/api/calls/{number:032x}/{number:016x}")
    assert status == 200
    return answer


def test_a_call_shows_the_rate_that_its_cost_rests_on(store: Store) -> None:
    answer = shown(store, 1)
    (line,) = assess([call(1)], PRICER)
    assert line.priced.cost_yocto is not None
    assert (answer["cost_source"], answer["usage_source"]) == ("computed", "reported")
    assert (answer["price_provider"], answer["price_model"]) == ("openai", "gpt-5-mini")
    assert answer["catalogue"] == PRICER.catalogue.label
    assert answer["cost"] == Decimal(line.priced.cost_yocto).scaleb(-24)
    by_name = {part["part"]: part for part in answer["cost_parts"]}
    assert by_name["input"] == {
        "part": "input",
        "quantity": 1873 - 1024,
        "usd_per_million": Decimal("0.25"),
        "cost": Decimal("0.00021225"),
    }
    assert by_name["cache_read"]["quantity"] == 1024
    assert sum(part["cost"] for part in answer["cost_parts"]) == answer["cost"]


def test_what_the_provider_said_wins_and_the_computed_cost_stands_beside_it(store: Store) -> None:
    answer, computed = shown(store, 8), shown(store, 1)["cost"]
    assert (answer["cost_source"], answer["cost"], answer["provider_cost"]) == (
        "provider",
        Decimal("0.5"),
        Decimal("0.5"),
    )
    assert answer["computed_cost"] == computed
    assert answer["provider_cost_difference"] == Decimal("0.5") - computed
    assert sum(part["cost"] for part in answer["cost_parts"]) == computed


def test_what_another_instrumentation_claims_is_shown_and_never_counts(store: Store) -> None:
    assert shown(store, 8)["claimed_cost"] == Decimal("0.1")


def test_an_unpriced_call_says_why(store: Store) -> None:
    answer = shown(store, 9)
    assert (answer["cost"], answer["cost_reason"], answer["cost_parts"]) == (None, "unknown_model", [])
    assert "mystery" in answer["cost_detail"]


def test_a_call_that_is_not_there_is_404(store: Store) -> None:
    status, answer = get(store, f"/api/calls/{77:032x}/{77:016x}")
    assert status == 404
    assert "readyz" in answer["hint"]


@pytest.mark.parametrize("path", ["/api/calls", f"/api/calls/{1:032x}/{1:016x}"])
def test_while_the_store_is_away_the_question_can_be_asked_again(path: str) -> None:
    assert get(None, path)[0] == 503


class Slow:
    """A store that gives up as the engine does."""

    def query(self, sql: str, parameters: dict[str, object]) -> None:
        raise DatabaseError("Code: 159. DB::Exception: Timeout exceeded: elapsed 10 seconds. (TIMEOUT_EXCEEDED)")


def test_a_question_that_takes_too_long_is_answered_with_how_to_ask() -> None:
    status, answer = get(Slow(), "/api/calls")  # pyright: ignore[reportArgumentType] - as much of a Store as is asked
    assert (status, answer["hint"]) == (400, "narrow it down with from and to")
