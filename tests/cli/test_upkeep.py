import json
from typing import Any

import pytest

from cli.prepared import Exporter
from llmlab.cli.sizes import size

DISK = {"ledger_bytes": 3_500_000, "store_bytes": 2**30, "free_bytes": 50 * 2**30, "min_free_bytes": 256 * 2**20}
FOUR = [{"requests": 8, "spend": 1.5, "one_in": 4.0}]
EXTRAPOLATED = {"periods": {key: {"requests": 32, "spend": 6} for key in ("today", "month", "all_time", "window")}}


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (150 * 1024, "150 KiB"),
        (2**30 * 3 // 2, "1.5 GiB"),
        (2**60, "1048576 TiB"),
    ],
)
def test_a_size_is_short(size_bytes: int, shown: str) -> None:
    assert size(size_bytes) == shown


def status(exporter: Exporter, *options: str, pipeline: dict[str, Any] | None = None, **changes: Any) -> str:
    exporter.answers("busy", pipeline={"pending_rows": 0} | (pipeline or {}), **changes)
    shown = exporter.run("status", *options)
    assert (shown.returncode, shown.stderr) == (0, "")
    return shown.stdout


def test_status_shows_disk_use(exporter: Exporter) -> None:
    shown = status(exporter, pipeline={"disk": DISK})
    assert "disk: ledger 3.3 MiB, store 1.0 GiB, 50.0 GiB free" in shown
    assert "no spans are accepted" not in shown


def test_status_leaves_out_a_size_that_nobody_knows(exporter: Exporter) -> None:
    assert "disk: ledger 3.3 MiB, 50.0 GiB free" in status(exporter, pipeline={"disk": DISK | {"store_bytes": None}})


def test_status_says_that_the_disk_is_full(exporter: Exporter) -> None:
    shown = status(exporter, pipeline={"disk": DISK | {"free_bytes": 2**20}})
    assert "no spans are accepted while less than 256 MiB is free; llmlab prune makes room" in shown


@pytest.mark.parametrize(
    ("count", "words"), [(0, ""), (1, "1 call was refused by the store and is missing"), (3, "3 calls were refused")]
)
def test_status_says_how_many_calls_the_store_refused(exporter: Exporter, count: int, words: str) -> None:
    shown = status(exporter, pipeline={"dead_letters": count})
    assert words in shown
    assert ("dead-letters list" in shown) == bool(count)


def test_status_warns_of_sampling_and_asks_for_nothing(exporter: Exporter) -> None:
    shown = status(exporter, sampling={"lower_bound": True, "periods": {"window": FOUR, "all_time": FOUR}})
    assert "Totals are a lower bound: calls of the last 30 days were sampled by their senders: 8 at 1 in 4" in shown
    assert "about $" not in shown
    assert "extrapolate" not in exporter.server.asked[-1]


def test_status_extrapolates_when_it_is_asked_to(exporter: Exporter) -> None:
    sampling = {"lower_bound": True, "periods": {"all_time": FOUR}, "extrapolated": EXTRAPOLATED}
    shown = status(exporter, "--extrapolate", sampling=sampling)
    assert "calls of earlier days were sampled" in shown
    assert "today       about $6.00  32 calls" in shown
    assert "extrapolate=true" in exporter.server.asked[-1]


def letters(count: int, shown: int) -> bytes:
    call = {"provider": "openai", "model": "m", "trace_id": "aa", "span_id": "bb"}
    letter = {"id": 7, "refused_at": "2026-11-21T02:00:00Z", "reason": "Code: 469", "call": call}
    return json.dumps({"count": count, "dead_letters": [letter] * shown}).encode()


def test_dead_letters_are_listed_with_their_reason(exporter: Exporter) -> None:
    exporter.server.body = letters(5, 2)
    shown = exporter.run("dead-letters", "list", "--limit", "2")
    assert shown.stdout.splitlines()[:2] == ["     7  2026-11-21T02:00:00Z  openai/m  aa/bb", "        Code: 469"]
    assert shown.stdout.endswith("and 3 earlier ones\n")
    assert exporter.server.asked == ["/api/dead-letters?limit=2"]


def test_that_there_are_no_dead_letters_is_said(exporter: Exporter) -> None:
    exporter.server.body = letters(0, 0)
    assert exporter.run("dead-letters", "list").stdout == "the store has refused no calls\n"


@pytest.mark.parametrize("age", ["9x", "-1d", "", "1.5d", "90 d"])
def test_what_is_no_age_is_said(exporter: Exporter, age: str) -> None:
    shown = exporter.run("prune", "--older-than", age)
    assert shown.returncode == 2
    assert "is no age; write it like 90d or 13w" in shown.stderr
    assert exporter.server.asked == []
