"""The worked examples of CONTRIBUTING.md work."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from environments import ROOT
from llmlab import semconv
from llmlab.capture.patching import Installation
from llmlab.providers import Provider
from llmlab.usage import Usage
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.span import RawSpan, Scope
from readme.shell import blocks

PROVIDER_EXAMPLE, DIALECT_EXAMPLE = (
    block.text for block in blocks((ROOT / "CONTRIBUTING.md").read_text()) if block.language == "python"
)

SDK = """
class Client:
    def complete(self, *, model):
        return {"id": "a1", "model": f"{model}-2", "usage": {"fresh": 10, "cached": 90, "output": 7}}

class AsyncClient:
    async def complete(self, *, model):
        return Client().complete(model=model)
"""


def run(example: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(example, "CONTRIBUTING.md", "exec"), names)  # noqa: S102 - our own page
    return names


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed SDK called `acme`, version 2.1."""
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "__init__.py").touch()
    (tmp_path / "acme" / "chat.py").write_text(SDK)
    (tmp_path / "acme-2.1.dist-info").mkdir()
    (tmp_path / "acme-2.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 2.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("acme", "acme.chat"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("acme")
def test_the_provider_of_the_example_is_recorded() -> None:
    provider = run(PROVIDER_EXAMPLE)["PROVIDER"]
    assert isinstance(provider, Provider)
    spans, tracers = InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    installation = Installation(provider, tracers)
    importlib.import_module("acme.chat").Client().complete(model="large")
    installation.remove()
    [span] = spans.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes[semconv.PROVIDER] == "acme"
    assert span.attributes[semconv.RESPONSE_MODEL] == "large-2"
    assert span.attributes[semconv.USAGE_ATTRIBUTES["input"]] == 100


def test_the_dialect_of_the_example_reads_a_span() -> None:
    dialect = run(DIALECT_EXAMPLE)["DIALECT"]
    assert isinstance(dialect, Dialect)
    said = {"acme.model": "large-2", "acme.tokens.in": 10, "acme.tokens.cached": 90, "acme.tokens.out": 7}
    span = RawSpan(bytes(16), bytes(8), b"", "complete", 3, 1, 2, failed=False, attributes=said)
    reading = dialect.read(span, Scope("acme.telemetry", "1.4.0"))
    assert reading is not None
    assert reading.usage == Usage(input=100, output=7, cache_read=90)
