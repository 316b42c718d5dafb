"""What is compared. Versions are pinned in `benchmarks/variants/<environment>.txt`, and nowhere else.

Recording of prompts and answers is off in all of them, and so are metrics and events: each only makes its spans.
The process imports nothing of this but what its own variant needs.
"""

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run the same two calls."""

    name: str
    environment: str
    """Its requirements are in `benchmarks/variants/<environment>.txt`."""
    install: Callable[[], None]
    """Instruments `openai`. The global tracer provider is set already."""
    distribution: str | None = None
    """The package that is measured, None for those that are part of the benchmark."""
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    bare: str = "bare"
    """The variant without instrumentation on the same version of the SDK."""
    floor: str = "floor"
    """The floor on the same version of the SDK."""

    @property
    def is_bare(self) -> bool:
        """Whether nothing is instrumented. What then seems to be added is the error of the method."""
        return self.name == self.bare

    @property
    def is_ours(self) -> bool:
        """Whether this project answers for it: a failure fails the run, where others' failures are a finding."""
        return self.distribution in {None, "llmlab"}


def _nothing() -> None:
    """Leave the SDK as it is."""


def _floor() -> None:
    import_module("in_app.floor").install()


def _instrumentor(module: str, name: str) -> None:
    getattr(import_module(module), name)().instrument()


def _openlit() -> None:
    """Start OpenLIT with a price list of its own format, because it would download one."""
    per_1k_usd = {"promptPrice": 0.00025, "completionPrice": 0.002, "cacheReadPrice": 0.000025}
    prices = {"chat": {"gpt-5-mini": per_1k_usd, "gpt-5-mini-2025-08-07": per_1k_usd}}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prices.json"
        file.write_text(json.dumps(prices))
        import_module("openlit").init(
            capture_message_content=False, disable_metrics=True, disable_events=True, pricing_json=str(file)
        )


VARIANTS = (
    Variant(name="bare", environment="openai-3", install=_nothing),
    Variant(name="floor", environment="openai-3", install=_floor),
    Variant(
        name="llmlab",
        environment="llmlab",
        distribution="llmlab",
        install=partial(_instrumentor, "llmlab.instrumentor", "LLMLabInstrumentor"),
    ),
    Variant(
        name="openai-v2",
        environment="openai-v2",
        distribution="opentelemetry-instrumentation-openai-v2",
        install=partial(_instrumentor, "opentelemetry.instrumentation.openai_v2", "OpenAIInstrumentor"),
    ),
    Variant(
        name="genai-openai",
        environment="genai-openai",
        distribution="opentelemetry-instrumentation-genai-openai",
        install=partial(_instrumentor, "opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    ),
    Variant(
        name="openinference",
        environment="openinference",
        distribution="openinference-instrumentation-openai",
        install=partial(_instrumentor, "openinference.instrumentation.openai", "OpenAIInstrumentor"),
        environ={"OPENINFERENCE_HIDE_INPUTS": "true", "OPENINFERENCE_HIDE_OUTPUTS": "true"},
    ),
    Variant(
        name="traceloop",
        environment="traceloop",
        distribution="opentelemetry-instrumentation-openai",
        install=partial(_instrumentor, "opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
        environ={"TRACELOOP_TRACE_CONTENT": "false"},
    ),
    Variant(
        name="bare-openai-2",
        environment="openai-2",
        install=_nothing,
        bare="bare-openai-2",
        floor="floor-openai-2",
    ),
    Variant(
        name="floor-openai-2",
        environment="openai-2",
        install=_floor,
        bare="bare-openai-2",
        floor="floor-openai-2",
    ),
    Variant(
        name="openlit",
        environment="openlit",
        distribution="openlit",
        install=_openlit,
        bare="bare-openai-2",
        floor="floor-openai-2",
    ),
)
BY_NAME = {variant.name: variant for variant in VARIANTS}
