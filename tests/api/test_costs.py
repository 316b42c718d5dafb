import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ledger.entries import SERIES, key
from llmlab.money import YOCTO_PER_USD, usd
from llmlab_exporter.api import costs
from llmlab_exporter.ledger.book import Book, Entry
from llmlab_exporter.ledger.summary import Model, Summary, total
from llmlab_exporter.reading.sampling import ALL, adjusted
from llmlab_exporter.tally import BUCKET_S, MAX_SAMPLINGS, Sampled, Tally

GPT = Model("openai", "gpt-5-mini")


class Ledger:
    """A ledger that is filled by time."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "ledger.sqlite"
        self.book = Book(self.path)
        self.spans = 0

    def spend(self, when: datetime, cost_yocto: int | None, model: str = "gpt-5-mini", requests: int = 1) -> None:
        bucket = int(when.timestamp()) // BUCKET_S * BUCKET_S
        known = cost_yocto is not None
        tally = Tally(
            requests=requests,
            priced=requests if known else 0,
            unpriced=0 if known else requests,
            input=10 * requests,
            output=requests,
            cost_yocto=(cost_yocto or 0) * requests,
        )
        self.spans += 1
        self.book.commit([Entry(key(self.spans), {(bucket, SERIES._replace(model=model)): tally}, 1, b"")])


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def ask(ledger: Ledger, query: str = "") -> dict[str, object]:
    routes = costs.routes(Summary(ledger.path), lambda: {"pending_rows": 0}, lambda: "genai-prices 0.2.3")
    with TestClient(Starlette(routes=routes)) as client:
        answer = client.get(f"/api/costs/summary{query}")
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)


def test_the_summary_of_an_empty_ledger_is_zero(ledger: Ledger) -> None:
    answer = ask(ledger)
    assert answer["total_spend"] == answer["this_month_spend"] == answer["today_spend"] == 0
    assert answer["models"] == []


def test_money_keeps_every_digit(ledger: Ledger) -> None:
    ledger.spend(datetime.now(tz=UTC), 123 * YOCTO_PER_USD + 1)
    answer = ask(ledger)
    assert answer["total_spend"] == Decimal("123.000000000000000000000001")
    assert answer["by_model"] == {"openai/gpt-5-mini": Decimal("123.000000000000000000000001")}
    assert answer["by_provider"] == {"openai": Decimal("123.000000000000000000000001")}


def test_a_model_without_a_price_has_no_spend(ledger: Ledger) -> None:
    now = datetime.now(tz=UTC)
    ledger.spend(now, YOCTO_PER_USD)
    ledger.spend(now, None, model="mystery", requests=3)
    answer = ask(ledger)
    assert answer["by_model"] == {"openai/gpt-5-mini": 1, "openai/mystery": None}
    assert answer["unpriced"] == {
        "requests": 3,
        "models": [{"provider": "openai", "model": "mystery", "requests": 3}],
    }
    assert answer["total_spend"] == 1


def test_a_ledger_of_unpriced_calls_alone_is_unknown_not_free(ledger: Ledger) -> None:
    ledger.spend(datetime.now(tz=UTC), None)
    answer = ask(ledger)
    assert answer["total_spend"] is None
    assert answer["today_spend"] is None


def test_the_summary_says_who_says_what_calls_cost(ledger: Ledger) -> None:
    now = datetime.now(tz=UTC)
    ledger.spend(now, 1, requests=4)
    ledger.spend(now, None, model="mystery")
    bucket = int(now.timestamp()) // BUCKET_S * BUCKET_S
    doubtful = Tally(requests=3, priced=3, estimated=2, provider_priced=1)
    ledger.book.commit([Entry(key(99), {(bucket, SERIES): doubtful}, 1, b"")])
    assert ask(ledger)["provenance"] == {
        "catalogue": "genai-prices 0.2.3",
        "requests_by_cost_source": {"computed": 4, "estimated": 2, "provider": 1, "none": 1},
    }


def test_days_begin_at_local_midnight(ledger: Ledger) -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")  # 5:45 hours ahead of UTC
    ledger.spend(datetime(2026, 3, 9, 23, 59, tzinfo=kathmandu), 1)
    ledger.spend(datetime(2026, 3, 10, 0, 0, tzinfo=kathmandu), 10)
    days = Summary(ledger.path).days(date(2026, 3, 9), date(2026, 3, 10), kathmandu)
    assert [total(groups).cost for groups in days.values()] == [1, 10]


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]), st.integers(0, 366 * 96))
def test_every_quarter_of_an_hour_is_in_exactly_one_day(
    tmp_path_factory: pytest.TempPathFactory, zone: str, quarter: int
) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    when = datetime.fromtimestamp(1_767_225_600 + quarter * BUCKET_S, tz=ZoneInfo(zone))
    ledger.spend(when, 1)
    days = Summary(ledger.path).days(date(2025, 12, 31), date(2027, 1, 2), ZoneInfo(zone))
    assert [day for day, groups in days.items() if groups] == [when.date()]
    ledger.book.close()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?days=0", "days='0'"),
        ("?days=x", "days='x'"),
        ("?days=9999", "366"),
        ("?tz=Mars/Base", "Mars/Base"),
        ("?extrapolate=1", "'1'"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(ledger: Ledger, query: str, named: str) -> None:
    with TestClient(Starlette(routes=costs.routes(Summary(ledger.path), dict, str))) as client:
        answer = client.get(f"/api/costs/summary{query}")
    assert answer.status_code == 400
    assert named in answer.json()["error"]


def sampled_spend(ledger: Ledger, threshold: int, requests: int, cost_yocto: int) -> None:
    bucket = int(datetime.now(tz=UTC).timestamp()) // BUCKET_S * BUCKET_S
    tally = Tally(requests=requests, priced=requests, cost_yocto=cost_yocto)
    tally.count_sampled(threshold, Sampled(requests, cost_yocto))
    ledger.spans += 1
    ledger.book.commit([Entry(key(ledger.spans), {(bucket, SERIES): tally}, 1, b"")])


def test_without_sampling_nothing_is_said_of_it(ledger: Ledger) -> None:
    ledger.spend(datetime.now(tz=UTC), 1)
    assert ask(ledger, "?extrapolate=true")["sampling"] is None


def test_sampled_calls_make_the_sums_a_lower_bound_and_nothing_more(ledger: Ledger) -> None:
    ledger.spend(datetime.now(tz=UTC), 2 * YOCTO_PER_USD)
    sampled_spend(ledger, ALL // 4 * 3, 5, 5 * YOCTO_PER_USD)
    answer = ask(ledger)
    assert answer["total_spend"] == 7
    assert answer["sampling"] == {
        "lower_bound": True,
        "periods": {
            key_0: [{"requests": 5, "spend": Decimal(5), "one_in": 4}]
            for key_0 in ("today", "month", "all_time", "window")
        },
    }


def test_extrapolation_stands_beside_the_measured_sums_and_is_exact(ledger: Ledger) -> None:
    ledger.spend(datetime.now(tz=UTC), 2 * YOCTO_PER_USD)
    sampled_spend(ledger, ALL // 4 * 3, 5, 5 * YOCTO_PER_USD)
    sampled_spend(ledger, ALL // 4 * 3, 1, 1)
    third = ALL - ALL // 3
    sampled_spend(ledger, third, 3, 10**24 + 1)
    answer: Any = ask(ledger, "?extrapolate=true")
    exact = 2 * 10**24 + 4 * (5 * 10**24 + 1) + (10**24 + 1) * adjusted(third)
    extrapolated = answer["sampling"]["extrapolated"]
    assert extrapolated["periods"]["all_time"] == {"requests": 1 + 4 * 6 + 9, "spend": usd(round(exact))}
    assert extrapolated["models"] == [
        {"provider": "openai", "model": "gpt-5-mini", **extrapolated["periods"]["window"]}
    ]
    assert answer["total_spend"] == Decimal("8.000000000000000000000002")


def test_a_flood_of_sampling_rates_is_bounded_and_no_call_is_lost(ledger: Ledger) -> None:
    for threshold in range(1, 100):
        sampled_spend(ledger, threshold, 1, 1)
    answer: Any = ask(ledger, "?extrapolate=true")
    rates = answer["sampling"]["periods"]["window"]
    assert len(rates) == MAX_SAMPLINGS + 1
    assert sum(rate["requests"] for rate in rates) == 99
    assert rates[0] == {
        "requests": 99 - MAX_SAMPLINGS,
        "spend": (99 - MAX_SAMPLINGS) * Decimal("1e-24"),
        "one_in": None,
    }
