"""The entry point for `opentelemetry-instrument`, one for all providers.

One, because its loader gives up on all later instrumentors, other vendors' too, when one raises, and because it does
not check the versions of what is instrumented. Both are done here, for each provider on its own.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from llmlab.capture.collector import watch_collector
from llmlab.capture.faults import Guard
from llmlab.capture.patching import Installation
from llmlab.capture.switches import is_disabled
from llmlab.providers import discover
from llmlab.threads import NAME, ThreadInstallation

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider


class LLMLabInstrumentor(BaseInstrumentor):
    """Records every LLM call of the SDKs in `llmlab.providers`, whether they are imported already or later.

    `LLMLabInstrumentor().instrument()` does by hand what `opentelemetry-instrument` does. It takes `tracer_provider`,
    `meter_provider` and `logger_provider`; without them the global ones are used. `uninstrument()` undoes it.
    """

    def __init__(self) -> None:
        if not hasattr(self, "_installations"):  # the base class makes it a singleton and calls this each time
            self._installations: list[Installation | ThreadInstallation] = []

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return nothing: one missing or unsupported SDK must not switch off the others."""
        return ()

    def _instrument(
        self,
        *,
        tracer_provider: "TracerProvider | None" = None,
        meter_provider: "MeterProvider | None" = None,
        logger_provider: "LoggerProvider | None" = None,
        **_: Any,
    ) -> None:
        watch_collector()
        if not is_disabled(NAME):
            with Guard("keep the attribution in threads"):
                self._installations.append(ThreadInstallation())
        for provider in discover():
            if not is_disabled(provider.name):
                with Guard(f"instrument {provider.name}"):
                    installation = Installation(provider, tracer_provider, meter_provider, logger_provider)
                    self._installations.append(installation)

    def _uninstrument(self, **_: Any) -> None:
        while self._installations:
            with Guard("put an SDK's functions back"):
                self._installations.pop().remove()
