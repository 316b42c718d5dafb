"""Recording the calls inside blocks of `track_cost`, in applications that LLMLab does not instrument as a whole."""

from importlib import import_module
from threading import Lock
from typing import Any

from opentelemetry import trace

from llmlab.capture.collector import watch_collector
from llmlab.capture.faults import Guard
from llmlab.capture.patching import Installation
from llmlab.capture.switches import is_disabled
from llmlab.providers import discover
from llmlab.surroundings import here
from llmlab.threads import NAME, ThreadInstallation
from llmlab.tracking.deliveries import Delivery

_lock = Lock()
_installations: list[Installation | ThreadInstallation] = []
_recorded_for: Delivery | None = None


def record_calls_inside(delivery: Delivery) -> None:
    """See to it that calls inside blocks are recorded, by us or by whoever instruments the SDK already."""
    global _recorded_for  # noqa: PLW0603 - one set of patches for the process
    if _recorded_for is delivery:
        return
    with _lock:
        if _recorded_for is not delivery:
            stop_recording()
            _install(delivery.tracer_provider)
            _watch(delivery.tracer_provider, trace.get_tracer_provider())
            _recorded_for = delivery


def stop_recording() -> None:
    """Put the SDKs' functions back."""
    global _recorded_for  # noqa: PLW0603 - as above
    _recorded_for = None
    while _installations:
        with Guard("put an SDK's functions back"):
            _installations.pop().remove()


def _install(tracer_provider: trace.TracerProvider) -> None:
    watch_collector()
    if not is_disabled(NAME):
        with Guard("keep the attribution in threads"):
            _installations.append(ThreadInstallation(leaves_wrapped=True))
    for provider in discover():
        if not is_disabled(provider.name):
            with Guard(f"instrument {provider.name}"):
                _installations.append(Installation(provider, tracer_provider, only_where=_is_inside_block))


def _is_inside_block() -> bool:
    return here().block is not None


def _watch(*providers: trace.TracerProvider) -> None:
    with Guard("watch for calls that other instrumentations record"):
        try:
            watching: Any = import_module("llmlab.tracking.watching")
        except ModuleNotFoundError:  # without OpenTelemetry's SDK nobody records spans
            return
        for provider in providers:
            watching.watch(provider)
