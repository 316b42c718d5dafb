"""The user's prices and the catalogue, in a running exporter."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.traces import metric
from exporter_process import LLMLAB, ExporterProcess, running
from llmlab.pricing.catalogue.published import keep_published
from llmlab_exporter.price_files import catalogue_path
from pricing.test_formats import PUBLISHED

pytestmark = pytest.mark.e2e

PRICE = "prices: {{openai/gpt-4o: {{input_mtok: {}, output_mtok: 0}}}}\n"


def cost(exporter: ExporterProcess, model: str = "gpt-4o") -> float:
    event = {"provider": "openai", "model": model, "input_tokens": 1_000_000, "output_tokens": 0}
    sent = urllib.request.Request(
        f"{exporter.url}/api/events/track", json.dumps(event).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(sent, timeout=30) as answer:
        return json.loads(answer.read())["cost"]


def ready(exporter: ExporterProcess) -> dict[str, Any]:
    return json.loads(exporter.get("/readyz"))["prices"]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited 60 s in vain"
        time.sleep(0.1)


def test_prices_are_followed_without_a_restart_and_a_bad_file_changes_nothing(data: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text(PRICE.format(1))
    with running(data, "--prices", str(prices)) as exporter:
        assert cost(exporter) == 1
        prices.write_text(PRICE.format("1.75"))
        until(lambda: cost(exporter) == 1.75)
        prices.write_text("prices:\n  gpt-4o: {input_mtok: 3}\n")
        until(lambda: ready(exporter)["error"] is not None)
        assert ready(exporter)["error"].startswith("prices.yaml:2:3: 'gpt-4o' does not name a provider")
        assert metric(exporter.get("/metrics"), "llmlab_exporter_prices_file_valid") == 0
        assert cost(exporter) == 1.75
        assert "the previous prices stay in use" in exporter.log.read_text()


def test_a_fetched_catalogue_is_followed_too(data: Path) -> None:
    with running(data) as exporter:
        assert cost(exporter) == 2.5
        text = PUBLISHED.replace("2.5", "7")
        keep_published(text, catalogue_path(data), datetime(2026, 11, 21, 5, 30, tzinfo=UTC))
        until(lambda: cost(exporter) == 7)
        assert ready(exporter)["catalogue"].endswith(", fetched 2026-11-21T05:30")


def test_a_bad_prices_file_at_the_start_is_named_with_its_line(data: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("prices: {openai/gpt-4o: {input_mtoks: 1}}")
    ended = subprocess.run(
        [LLMLAB, "up", "--data", str(data), "--grpc-port", "0", "--http-port", "0", "--prices", str(prices)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "prices.yaml:1:26: unknown price 'input_mtoks'; did you mean input_mtok?" in ended.stderr
    assert "hint: correct the file" in ended.stderr
    assert "Traceback" not in ended.stderr
