"""Ours and another instrumentation on one SDK, in either order: nothing changes, nothing breaks, one is billed."""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import genai_prices
import pytest

from environments import ROOT, users_environment
from fake_provider.testing import FakeProvider
from instrumentation.beside.peers import PEERS, Peer
from llmlab.money import YOCTO_PER_USD
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import Line
from llmlab_exporter.decode import PROTOBUF
from llmlab_exporter.inspection import inspect_request

pytestmark = pytest.mark.e2e

BOTH = ("ours first", "theirs first")
ONLY_OURS_IN_THE_END = {"openlit", "openllmetry-openai"}
"""Those that go on when they are switched off: OpenLIT cannot be, and OpenLLMetry takes back a part of its wrappers."""


@dataclass(frozen=True)
class Outcome:
    """What one process made, and what the provider billed for it."""

    report: dict[str, Any]
    bills: list[dict[str, Any]]
    lines: list[Line]

    @property
    def billed(self) -> list[Line]:
        return [line for line in self.lines if line.call.reading.billable and line.call.reading.usage.known]


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spans")


@pytest.fixture(scope="module")
def made(fake: FakeProvider, folder: Path) -> Any:
    """Return what makes every call with a peer in an order, once for all tests."""

    @cache
    def make(peer: Peer, order: str) -> Outcome:
        fake.reset()
        file = folder / f"{peer}-{order}.pb"
        ended = subprocess.run(
            [peer.python(), "-m", "instrumentation.beside.program", peer.name, order, fake.url, file],
            cwd=folder,
            env=users_environment()
            | {"PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in ("instrumentation", "tests"))},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        assert ended.returncode == 0, ended.stderr
        bills = fake.book.bills()
        lines = inspect_request(file.read_bytes(), PROTOBUF, Pricer()).lines
        return Outcome(json.loads(ended.stdout), bills[: len(bills) // 2], lines)  # all are made again at the end

    return make


@pytest.fixture(params=PEERS, ids=str)
def peer(request: pytest.FixtureRequest) -> Peer:
    return request.param


@pytest.fixture(params=BOTH)
def order(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_application_sees_what_it_sees_without_any(peer: Peer, order: str, made: Any) -> None:
    both = made(peer, order).report
    assert both["seen"] == made(peer, "none").report["seen"]
    assert both["seen_after"] == both["seen"]


def test_nothing_is_logged_as_wrong(peer: Peer, order: str, made: Any) -> None:
    assert made(peer, order).report["faults"] == made(peer, "theirs").report["faults"] == []


def test_they_make_the_spans_that_they_make_alone(peer: Peer, order: str, made: Any) -> None:
    def theirs(outcome: Outcome) -> Counter[str]:
        scopes = Counter(outcome.report["scopes"])
        return Counter({name: n for name, n in scopes.items() if not name.startswith(("llmlab.", "com.anthropic."))})

    assert theirs(made(peer, order)) == theirs(made(peer, "theirs"))


def test_each_call_is_billed_once_as_the_provider_did(peer: Peer, order: str, made: Any) -> None:
    outcome: Outcome = made(peer, order)
    truth = Counter(counts(bill["usage"]) for bill in outcome.bills)
    usages = [line.call.reading.usage for line in outcome.billed]
    assert Counter((each.input, each.output or 0, each.cache_read or 0) for each in usages) == truth


def test_the_cost_is_the_list_price_of_what_was_billed(peer: Peer, order: str, made: Any) -> None:
    outcome: Outcome = made(peer, order)
    truth = sum(list_price(peer.sdk, bill) for bill in outcome.bills)
    assert truth > 0
    assert sum(Decimal(line.priced.cost_yocto or 0) for line in outcome.lines) / YOCTO_PER_USD == truth


def test_switched_off_both_are_gone(peer: Peer, order: str, made: Any) -> None:
    report = made(peer, order).report
    left = {scope for scope in report["scopes_after"] if scope != "com.anthropic.sdk.python"}
    assert not any(scope.startswith("llmlab.") for scope in left)
    if peer.name not in ONLY_OURS_IN_THE_END:
        assert not left
        assert report["wrapped_after"] == []


def counts(usage: dict[str, Any]) -> tuple[int, int, int]:
    """Return input, output and cached input of a bill in either provider's words."""
    if "prompt_tokens" in usage:
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return usage["prompt_tokens"], usage.get("completion_tokens") or 0, cached
    cached = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    return usage["input_tokens"] + cached + written, usage["output_tokens"], cached


def list_price(sdk: str, bill: dict[str, Any]) -> Decimal:
    """Price a call from the provider's own book by the library alone."""
    taken, given, cached = counts(bill["usage"])
    return genai_prices.calc_price(
        genai_prices.Usage(input_tokens=taken, output_tokens=given or None, cache_read_tokens=cached or None),
        bill["model"],
        provider_id=sdk,
        genai_request_timestamp=datetime.fromtimestamp(bill["at"], tz=UTC),
    ).total_price
