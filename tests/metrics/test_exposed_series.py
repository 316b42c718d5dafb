import pytest
from prometheus_client import CollectorRegistry

from calls import call
from ledger.entries import SERIES
from llmlab_exporter.call import Intake
from llmlab_exporter.metrics import exposed
from llmlab_exporter.reading.sampling import threshold_of
from llmlab_exporter.tally import Series, Tally
from llmlab_exporter.telemetry import MAX_SAMPLING_SERVICES, Telemetry

SAMPLED = "llmlab_exporter_sampled_spans_total"


def by_series(*models: str) -> dict[Series, Tally]:
    return {
        SERIES._replace(model=model): Tally(requests=2, priced=2, cost_yocto=10**number)
        for number, model in enumerate(models)
    }


def test_series_up_to_the_limit_are_exposed_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmlab_exporter.metrics.MAX_EXPOSED_SERIES", 3)
    found = by_series("a", "b", "c")
    assert exposed(found) == (found, 0)


def test_later_series_are_summed_up_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmlab_exporter.metrics.MAX_EXPOSED_SERIES", 2)
    found = by_series("a", "b", "c", "d")
    kept, summed_up = exposed(found)
    assert len(kept) == 3
    assert summed_up == 4
    assert sum(tally.cost_yocto for tally in kept.values()) == 1111
    rest = Series(*["other"] * 7, outcome="ok")
    assert kept[rest].cost_yocto == 1100


def test_what_the_ledger_summed_up_itself_is_added_and_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmlab_exporter.metrics.MAX_EXPOSED_SERIES", 1)
    rest = Series(*["other"] * 7, outcome="ok")
    found = {rest: Tally(requests=1, cost_yocto=5)} | by_series("a", "other")
    kept, summed_up = exposed(found)
    assert kept == {rest: Tally(requests=5, priced=4, cost_yocto=16)}
    assert summed_up == 2
    assert found[rest].cost_yocto == 5


def test_services_that_sample_are_counted_apart_and_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    registry = CollectorRegistry()
    telemetry = Telemetry(registry)
    sampled = call()._replace(sampling_threshold=threshold_of("ot=th:c"))
    for service in ("shop", "shop", "search"):
        telemetry.count_intake(Intake([sampled._replace(service=service), call()], 0, {}, ""), 0)
    assert registry.get_sample_value(SAMPLED, {"service_name": "shop"}) == 2
    assert registry.get_sample_value(SAMPLED, {"service_name": "search"}) == 1
    assert [record.getMessage().partition(", ")[0] for record in caplog.records] == [
        "the service 'shop' sends a sample of its spans",
        "the service 'search' sends a sample of its spans",
    ]


def test_a_flood_of_services_that_sample_is_bounded() -> None:
    registry = CollectorRegistry()
    sampled = call()._replace(sampling_threshold=1)
    many = [sampled._replace(service=f"service-{number}") for number in range(MAX_SAMPLING_SERVICES + 7)]
    Telemetry(registry).count_intake(Intake(many, 0, {}, ""), 0)
    assert registry.get_sample_value(SAMPLED, {"service_name": "other"}) == 7
