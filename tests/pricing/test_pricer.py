import logging
import sys
import threading
import tracemalloc
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from random import Random
from typing import Any, cast

import genai_prices
import pytest
from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import (
    ClauseStartsWith,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.money import plain
from llmlab.pricing import Priced
from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.memory import Memory
from llmlab.pricing.pricer import HINTS, UNKNOWN, Pricer
from llmlab.usage import NO_USAGE, Usage
from pricing.library import NOW, ns, plausible

CHAT = Usage(1000, 500)
NOW_NS = ns(NOW)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "dollars"),
    [
        # by hand, from the catalogue's prices per million
        ("openai", "gpt-4", Usage(1000, 500), "0.06"),
        ("openai", "gpt-4o-mini", Usage(1000, 500, cache_read=200), "0.000435"),
        ("openai", "gpt-4o", Usage(1000, 500, web_searches=2), "0.0275"),
        (
            "anthropic",
            "claude-sonnet-4-5",
            Usage(1000, 500, cache_read=200, cache_write=100, cache_write_1h=0),
            "0.010035",
        ),
        (
            "anthropic",
            "claude-sonnet-4-5",
            Usage(1000, 500, cache_read=200, cache_write=100, cache_write_1h=100),
            "0.01026",
        ),
        ("openai", "text-embedding-3-small", Usage(1000), "0.00002"),
        ("openai", "tts-1", Usage(characters=1000), "0.015"),
        ("mistral", "mistral-ocr-2503", Usage(pages=3), "0.003"),
        ("groq", "whisper-large-v3", Usage(audio_ms=3_600_000), "0.111"),
        # ten seconds is the least that Groq bills
        ("groq", "whisper-large-v3", Usage(audio_ms=1), "0.000308333333333333333333"),
        ("perplexity", "sonar", Usage(0, 0), "0.012"),
    ],
)
def test_known_calls_cost_what_they_cost(pricer: Pricer, provider: str, model: str, usage: Usage, dollars: str):
    priced = pricer.price(provider, (model,), usage, NOW_NS)
    assert (plain(priced.cost_yocto), priced.source) == (dollars, "computed")


def test_a_price_names_the_catalogue_and_its_version(pricer: Pricer):
    priced = pricer.price("azure.ai.openai", ("gpt-4o",), CHAT, NOW_NS)
    assert priced[4:8] == (f"genai-prices {genai_prices.__version__}", "openai", "gpt-4o", "")


@pytest.mark.parametrize(
    ("provider", "models", "reason", "words"),
    [
        ("openai", ("gpt-99-turbo",), "unknown_model", ["gpt-99-turbo", "openai/gpt-4-turbo"]),
        ("azure.ai.openai", ("my-deployment", "prod-1"), "unknown_model", ["my-deployment", "prod-1", "azure"]),
        ("my-gateway", ("gpt-4o",), "unknown_provider", ["my-gateway", "openai/gpt-4o"]),
        ("opnai", ("gpt-4o",), "unknown_provider", ["opnai", "openai/gpt-4o"]),
        ("", ("my-model",), "unknown_provider", ["my-model"]),
        ("litellm", ("nobody/gpt-4o-nope",), "unknown_provider", ["nobody/gpt-4o-nope"]),
        ("openai", (), "unknown_model", ["no model was named"]),
        ("openai", ("", ""), "unknown_model", ["no model was named"]),
        ("deepseek", ("deepseek-chat-" + "x" * 100_000,), "unknown_model", ["xxx..."]),
    ],
)
def test_an_unknown_name_is_never_free(
    pricer: Pricer, provider: str, models: tuple[str, ...], reason: str, words: list[str]
):
    for _ in range(2):  # looked up, then remembered
        priced = pricer.price(provider, models, CHAT, NOW_NS)
        assert (priced.cost_yocto, priced.source, priced.reason) == (None, "none", reason)
        assert [word for word in words if word not in priced.detail] == []
        assert len(priced.detail) < 1000


@settings(deadline=None)
@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=3), st.text(max_size=12), st.booleans())
def test_no_name_makes_a_call_free_by_accident(
    pricer: Pricer, provider: str, models: list[str], tier: str, batch: bool
):
    priced = pricer.price(provider, tuple(models), CHAT, NOW_NS, tier=tier, batch=batch)
    assert (priced.cost_yocto is None) == (priced.source == "none") == bool(not priced.price_model)
    assert priced.cost_yocto != 0


def test_no_model_is_free_unless_the_catalogue_says_so(pricer: Pricer):
    """Prices at 0 and models that are called free: all others cost something or have no cost."""
    free: list[str] = []
    for provider in get_snapshot().providers:
        for model in provider.models:
            priced = pricer.price(provider.id, (model.id,), Usage(10**6, 10**6), NOW_NS)
            if priced.cost_yocto == 0:
                free.append(f"{provider.id}/{model.id}")
    assert "openrouter/deepseek/deepseek-r1:free" in free
    assert "cerebras/qwen-3-coder-480b" not in free
    assert {name for name in free if not name.endswith(":free")} >= {"google/gemma-3", "openai/moderation"}
    assert len(free) < 250


def test_the_first_candidate_that_is_known_decides(pricer: Pricer):
    served = pricer.price("openai", ("gpt-4o-mini-2024-07-18", "gpt-4"), CHAT, NOW_NS)
    assert served.price_model == "gpt-4o-mini"
    deployment = pricer.price("azure.ai.openai", ("", "my-deployment", "gpt-4"), CHAT, NOW_NS)
    assert deployment.price_model == "gpt-4"


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [("", "gpt-4o", "openai"), ("", "claude-sonnet-4-5", "anthropic"), ("litellm", "groq/openai/gpt-oss-20b", "groq")],
)
def test_a_call_without_a_provider_is_priced_by_its_model_s_family(
    pricer: Pricer, provider: str, model: str, expected: str
):
    assert pricer.price(provider, (model,), CHAT, NOW_NS).price_provider == expected


@pytest.mark.parametrize("usage", [NO_USAGE, Usage(web_searches=1), Usage(cache_read=0)])
def test_no_usage_is_not_zero(pricer: Pricer, usage: Usage):
    priced = pricer.price("openai", ("gpt-4o",), usage, NOW_NS)
    assert (priced.cost_yocto, priced.source, priced.reason) == (None, "none", "no_usage")
    assert "gpt-4o" in priced.detail


def test_a_part_without_any_total_is_a_contradiction(pricer: Pricer):
    priced = pricer.price("openai", ("gpt-4o",), Usage(cache_read=5), NOW_NS)
    assert (priced.reason, priced.detail) == ("contradiction", "cache_read 5 in input unknown")


def test_an_overlap_that_nobody_reported_has_no_cost_where_it_has_a_price(pricer: Pricer):
    cached_audio = Usage(100, 5, cache_read=50, audio_in=60)
    assert pricer.price("openai", ("gpt-realtime",), cached_audio, NOW_NS).reason == "contradiction"
    told = cached_audio._replace(cache_read_audio=30)
    assert pricer.price("openai", ("gpt-realtime",), told, NOW_NS).source == "computed"
    assert pricer.price("openai", ("gpt-4o",), cached_audio, NOW_NS).source == "computed"


@pytest.mark.parametrize(
    ("tier", "batch", "dollars", "reason"),
    [
        ("", False, "0.00625", ""),
        ("default", False, "0.00625", ""),
        ("auto", False, "0.00625", ""),
        ("flex", False, "0.003125", ""),
        ("priority", False, "0.0125", ""),
        ("", True, "0.003125", ""),
        ("default", True, "0.003125", ""),
        ("batch", False, "0.003125", ""),
        ("scale", False, "0.00625", "unpriced_tier"),
    ],
)
def test_the_served_tier_has_its_price(pricer: Pricer, tier: str, batch: bool, dollars: str, reason: str):
    priced = pricer.price("openai", ("gpt-5",), CHAT, NOW_NS, tier=tier, batch=batch)
    assert (plain(priced.cost_yocto), priced.reason) == (dollars, reason)
    assert priced.source == ("estimated" if reason else "computed")


def test_anthropic_s_fast_mode_has_its_price(pricer: Pricer):
    standard = pricer.price("anthropic", ("claude-opus-5",), CHAT, NOW_NS, tier="standard")
    fast = pricer.price("anthropic", ("claude-opus-5",), CHAT, NOW_NS, tier="fast")
    assert fast.source == "computed"
    assert cast("int", fast.cost_yocto) > cast("int", standard.cost_yocto)


def test_batch_without_a_batch_price_is_an_estimate_at_the_standard_price(pricer: Pricer):
    standard = pricer.price("aws.bedrock", ("amazon.nova-lite-v1:0",), CHAT, NOW_NS)
    batch = pricer.price("aws.bedrock", ("amazon.nova-lite-v1:0",), CHAT, NOW_NS, batch=True)
    assert batch.cost_yocto == standard.cost_yocto
    assert (batch.source, batch.reason) == ("estimated", "unpriced_tier")
    assert "no price for batch at aws/amazon.nova-lite" in batch.detail


def test_a_tier_s_price_begins_at_midnight_utc_of_its_date(pricer: Pricer):
    start = datetime(2026, 10, 12, tzinfo=UTC)
    before = pricer.price("openai", ("gpt-5",), CHAT, ns(start) - 1, tier="flex")
    after = pricer.price("openai", ("gpt-5",), CHAT, ns(start), tier="flex")
    assert (plain(before.cost_yocto), before.reason, before.rate_start) == ("0.00625", "unpriced_tier", "")
    assert (plain(after.cost_yocto), after.reason, after.rate_start) == ("0.003125", "", "2026-10-12")


@pytest.mark.parametrize(
    ("hour", "minute", "dollars"), [(0, 59, "0.00066"), (1, 0, "0.00132"), (3, 59, "0.00132"), (4, 0, "0.00066")]
)
def test_the_time_of_day_has_its_price(pricer: Pricer, hour: int, minute: int, dollars: str):
    at = NOW.replace(hour=hour, minute=minute)
    priced = pricer.price("deepseek", ("deepseek-v4-pro",), Usage(1000, 0), ns(at))
    assert (plain(priced.cost_yocto), priced.rate_start) == (dollars, "2026-08-17")


def test_any_moment_can_be_priced(pricer: Pricer):
    for at_ns in (0, -1, -(10**30), 10**30):
        assert pricer.price("deepseek", ("deepseek-v4-pro",), CHAT, at_ns).source == "computed"


@pytest.mark.parametrize(
    "usage",
    [
        Usage(-1, 5),
        Usage(10**40, 5),
        Usage(10, 10**40),
        Usage(10, 5, cache_read=10**40),
        Usage(audio_ms=-5),
        Usage(audio_ms=10**90),
    ],
)
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-live-1"])
def test_absurd_counts_have_no_cost(pricer: Pricer, model: str, usage: Usage):
    priced = pricer.price("openai", (model,), usage, NOW_NS)
    assert (priced.cost_yocto, priced.source) == (None, "none")
    assert priced.reason in {"contradiction", "unpriced_unit"}


@pytest.mark.parametrize(
    "arguments",
    [
        (None, ("gpt-4o",), CHAT, NOW_NS),
        ("openai", ["gpt-4o"], CHAT, NOW_NS),
        ("openai", (None, 5), CHAT, NOW_NS),
        ("openai", ("gpt-4o",), None, NOW_NS),
        ("openai", ("gpt-4o",), Usage(cast("int", "many"), 5), NOW_NS),
        ("deepseek", ("deepseek-v4-pro",), CHAT, "yesterday"),
    ],
)
def test_nonsense_has_no_cost_and_is_logged(pricer: Pricer, caplog: pytest.LogCaptureFixture, arguments: Any):
    priced = pricer.price(*arguments)
    assert (priced.cost_yocto, priced.source) == (None, "none")
    if priced.reason == "catalogue_error":
        assert caplog.records[-1].exc_info


def test_a_broken_price_list_is_said_and_logged_once(caplog: pytest.LogCaptureFixture):
    prices = {"nan": Decimal("NaN"), "negative": Decimal(-1), "text": cast("Decimal", "3")}
    models = [model(name, ModelPrice(input_mtok=price)) for name, price in prices.items()]
    models.append(model("newer", ModelPrice(input_mtok=Decimal(1), thoughts_mtok=Decimal(1))))
    models.append(model("orphan", ModelPrice(cache_read_mtok=Decimal(1))))
    broken = Pricer(catalogue_of(*models))
    for name in (*prices, "newer", "orphan"):
        caplog.clear()
        for _ in range(3):
            priced = broken.price("maker", (name,), CHAT, NOW_NS)
            assert (priced.cost_yocto, priced.reason) == (None, "catalogue_error")
        assert [(record.levelno, bool(record.exc_info)) for record in caplog.records] == [(logging.ERROR, True)]


def test_a_rate_names_the_day_since_when_it_is_valid():
    changing = model(
        "m",
        [
            ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(3))),
            ConditionalPrice(StartDateConstraint(date(2026, 2, 1)), prices=ModelPrice(input_mtok=Decimal(2))),
            ConditionalPrice(StartDateConstraint(date(2026, 3, 1)), prices=ModelPrice(input_mtok=Decimal(2))),
            ConditionalPrice(StartDateConstraint(date(2026, 4, 1)), prices=ModelPrice(input_mtok=Decimal(1))),
        ],
    )
    dated = Pricer(catalogue_of(changing))
    days = [datetime(2026, month, 15, tzinfo=UTC) for month in (1, 2, 3, 4)]
    starts = [dated.price("maker", ("m",), Usage(10), ns(day)).rate_start for day in days]
    assert starts == ["", "2026-02-01", "2026-02-01", "2026-04-01"]


def test_a_batch_is_priced_as_batch_whatever_tier_it_reports():
    tiered = model("m", ModelPrice(input_mtok=Decimal(4)))
    tiered.price_variants = [
        PriceVariant(when={"service_tier": "default"}, prices=ModelPrice(input_mtok=Decimal(4))),
        PriceVariant(when={"processing": "batch"}, prices=ModelPrice(input_mtok=Decimal(2))),
    ]
    priced = Pricer(catalogue_of(tiered)).price("maker", ("m",), Usage(10**6), NOW_NS, tier="default", batch=True)
    assert (plain(priced.cost_yocto), priced.source) == ("2", "computed")


def test_unknown_names_do_not_fill_the_memory():
    pricer = Pricer(catalogue_of(model("known", ModelPrice(input_mtok=Decimal(1)))))
    names = (f"made-up-{number}" for number in range(100_000))
    tracemalloc.start()
    try:
        price_all(pricer, islice(names, UNKNOWN + HINTS))
        full, _ = tracemalloc.get_traced_memory()
        price_all(pricer, islice(names, UNKNOWN))
        later, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert later < full * 1.25


def test_a_memory_forgets_its_oldest_entry():
    memory: Memory[int, str] = Memory(3)
    for number in range(5):
        memory.put(number, str(number))
    memory.put(4, "again")
    assert [memory.get(number) for number in range(5)] == [None, None, "2", "3", "again"]
    assert len(memory) == 3


def test_threads_get_the_same_prices_as_one(catalogue: Catalogue):
    random = Random(7)  # noqa: S311 - the same calls in every run
    names = [(provider.id, (model.id,)) for provider in get_snapshot().providers for model in provider.models[:6]]
    names += [("openai", (f"unknown-{number}",)) for number in range(50)]
    calls = [(*random.choice(names), plausible(random, 3000), NOW_NS) for _ in range(1000)]
    alone = [Pricer(catalogue).price(*call) for call in calls[:200]]
    shared = Pricer(catalogue)
    barrier = threading.Barrier(8)

    def work(part: int) -> list[Priced]:
        barrier.wait()
        return [shared.price(*call) for call in calls[part:] + calls[:part]]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(work, range(0, 1000, 125)))
    finally:
        sys.setswitchinterval(interval)
    for part, result in zip(range(0, 1000, 125), results, strict=True):
        assert [priced[:4] for priced in result[1000 - part :] + result[: 1000 - part]] == [p[:4] for p in results[0]]
    assert [priced[0] for priced in results[0][:200]] == [priced[0] for priced in alone]


def model(name: str, prices: ModelPrice | list[ConditionalPrice]) -> ModelInfo:
    return ModelInfo(id=name, match=ClauseStartsWith(name), prices=prices)


def catalogue_of(*models: ModelInfo) -> Catalogue:
    return Catalogue(DataSnapshot([Provider("maker", "Maker", "maker", models=list(models))], from_auto_update=False))


def price_all(pricer: Pricer, names: Iterable[str]) -> None:
    for name in names:
        assert pricer.price("maker", (name,), CHAT, NOW_NS).reason == "unknown_model"
