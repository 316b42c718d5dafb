"""Prices that change while the exporter runs."""

import logging
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from llmlab.money import plain
from llmlab.pricing.catalogue.published import keep_published
from llmlab.usage import Usage
from llmlab_exporter.config import StartupError
from llmlab_exporter.price_files import PriceFiles, catalogue_path
from llmlab_exporter.price_metrics import PricesCollector
from pricing.library import NOW, ns
from pricing.test_formats import PUBLISHED

PRICE = "prices: {{openai/gpt-4o: {{input_mtok: {}, output_mtok: 0}}}}\n"


def cost(files: PriceFiles) -> str | None:
    return plain(files.pricer.price("openai", ("gpt-4o",), Usage(10**6, 0), ns(NOW)).cost_yocto)


def metric(files: PriceFiles, family: str, /, **labels: str) -> float | None:
    registry = CollectorRegistry()
    registry.register(PricesCollector(files))
    return registry.get_sample_value(family, labels)


@pytest.fixture
def prices(tmp_path: Path) -> Path:
    path = tmp_path / "prices.yaml"
    path.write_text(PRICE.format(1))
    return path


@pytest.fixture
def files(prices: Path, tmp_path: Path) -> PriceFiles:
    return PriceFiles(prices, catalogue_path(tmp_path))


def test_a_changed_file_applies_without_a_restart(files: PriceFiles, prices: Path):
    assert cost(files) == "1"
    prices.write_text(PRICE.format("1.75"))
    files.look()
    assert cost(files) == "1.75"


def test_a_replaced_file_of_equal_size_and_age_is_noticed(files: PriceFiles, prices: Path):
    before = prices.stat()
    other = prices.with_name("new")
    other.write_text(PRICE.format(2))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(prices)
    files.look()
    assert cost(files) == "2"


@pytest.mark.parametrize("bad", ["prices: {openai/gpt-4o: {input_mtok: x}}", "prices: [", None])
def test_a_bad_file_changes_nothing_and_says_so(
    files: PriceFiles, prices: Path, caplog: pytest.LogCaptureFixture, bad: str | None
):
    prices.unlink() if bad is None else prices.write_text(bad)
    with caplog.at_level(logging.ERROR):
        files.look()
        files.look()
    assert cost(files) == "1"
    assert len([record for record in caplog.records if "previous prices stay in use" in record.getMessage()]) == 1
    assert str(files.details()["error"]).startswith(f"{prices if bad is None else prices.name}:1")
    assert metric(files, "llmlab_exporter_prices_file_valid") == 0
    assert metric(files, "llmlab_exporter_prices_file_reads_total", result="failed") == 1
    prices.write_text(PRICE.format(3))
    files.look()
    assert cost(files) == "3"
    assert files.details()["error"] is None
    assert metric(files, "llmlab_exporter_prices_file_valid") == 1


def test_nothing_is_read_again_while_nothing_changes(files: PriceFiles):
    book = files.pricer.book
    files.look()
    assert files.pricer.book is book
    assert metric(files, "llmlab_exporter_prices_file_reads_total", result="ok") == 1


def test_a_bad_file_at_the_start_is_an_error(prices: Path, tmp_path: Path):
    prices.write_text("prices: {gpt-4o: {}}")
    with pytest.raises(StartupError, match=r"prices\.yaml:1:10: 'gpt-4o' does not name a provider"):
        PriceFiles(prices, catalogue_path(tmp_path))


def test_a_missing_file_at_the_start_is_an_error(tmp_path: Path):
    with pytest.raises(StartupError, match="cannot be read"):
        PriceFiles(tmp_path / "none.yaml", catalogue_path(tmp_path))


def test_a_fetched_catalogue_is_used_from_the_next_look_on(tmp_path: Path):
    files = PriceFiles(None, catalogue_path(tmp_path))
    assert cost(files) == "2.5"
    keep_published(PUBLISHED.replace("2.5", "7"), catalogue_path(tmp_path), datetime(2026, 11, 21, 5, 30, tzinfo=UTC))
    files.look()
    assert cost(files) == "7"
    assert files.catalogue.label.endswith(", fetched 2026-11-21T05:30")
    assert metric(files, "llmlab_exporter_catalogue_timestamp_seconds") == 1795239000
    version = files.catalogue.version
    assert metric(files, "llmlab_exporter_catalogue_info", name="genai-prices", version=version) == 1
    catalogue_path(tmp_path).unlink()
    files.look()
    assert cost(files) == "2.5"


def test_a_broken_fetched_catalogue_leaves_the_bundled_one_in_use(tmp_path: Path):
    path = catalogue_path(tmp_path)
    path.parent.mkdir()
    path.write_text('{"fetched": "2026-11-21T00:00:00Z", "providers": [{"id": "openai"}]}')
    files = PriceFiles(None, path)
    assert cost(files) == "2.5"
    assert files.details()["catalogue_error"]


def test_the_files_are_watched_while_running(files: PriceFiles, prices: Path):
    files.start()
    try:
        prices.write_text(PRICE.format("9.5"))
        for _ in range(1000):
            if cost(files) == "9.5":
                break
            time.sleep(0.01)
    finally:
        files.stop()
    assert cost(files) == "9.5"
