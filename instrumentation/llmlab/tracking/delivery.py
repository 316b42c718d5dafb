"""Where the calls go that the application reports itself, and the blocks of `track_cost`.

    an endpoint was named          a pipeline of our own to that exporter
    OpenTelemetry is set up        the application's pipeline
    neither                        a pipeline of our own to LLMLAB_URL, or to the exporter on this machine

Our own pipeline is OpenTelemetry's SDK where it is installed. Without it, calls are posted one by one. Where nobody
said anything and no exporter runs on this machine, calls go nowhere, and the log says so.
"""

import logging
import socket
import time
from importlib import import_module
from os import environ
from threading import Lock
from typing import NamedTuple
from urllib.parse import urlsplit

from opentelemetry import trace

from llmlab.tracking.deliveries import Delivery, EventDelivery, Nowhere, SpanDelivery, is_set_up
from llmlab.tracking.exporter_api import ExporterApi

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"
ENDPOINT = "LLMLAB_URL"
API_KEY = "LLMLAB_API_KEY"

LOOK_AGAIN_S = 30.0
"""How often to look whether an exporter runs on this machine by now."""

_HOW_TO_NAME_ONE = f"Start one with 'llmlab up', or say with llmlab.sdk.init() or {ENDPOINT} where it is."

_logger = logging.getLogger("llmlab")


class Settings(NamedTuple):
    """How to reach an exporter. Empty means: not said."""

    api_key: str = ""
    endpoint: str = ""
    service_name: str = ""

    def api(self) -> ExporterApi:
        """Return the exporter. Raises ValueError when the endpoint is no URL."""
        endpoint = self.endpoint or environ.get(ENDPOINT) or DEFAULT_ENDPOINT
        return ExporterApi(endpoint, self.api_key or environ.get(API_KEY))


_lock = Lock()
_chosen: Delivery | None = None
_nowhere = Nowhere()
_look_again_at_s = 0.0


def delivery() -> Delivery:
    """Return where calls go. Without `choose` it is settled at the first use, when there is somebody to take them."""
    if _chosen is not None:
        return _chosen
    with _lock:
        return _chosen or _settled()


def choose(settings: Settings) -> None:
    """Decide where calls go from now on; what is queued elsewhere is sent first.

    Raises ValueError when the endpoint is no URL.
    """
    global _chosen
    with _lock:
        former, _chosen = _chosen, _made(settings)
    if former is not None:
        former.close()


def flush(timeout_s: float) -> bool:
    """Wait until all calls so far are sent; False when the time is over before."""
    return _chosen is None or _chosen.flush(timeout_s)


def dropped() -> int:
    """Return how many calls will never arrive."""
    return _nowhere.dropped + (0 if _chosen is None else _chosen.dropped)


def _settled() -> Delivery:
    global _chosen  # noqa: PLW0603 - as above
    if is_set_up(trace.get_tracer_provider()) or environ.get(ENDPOINT) or _exporter_runs_here():
        _chosen = _made(Settings())
        return _chosen
    return _nowhere


def _exporter_runs_here() -> bool:
    """Look, now and then, whether an exporter runs on this machine. The loopback interface says so at once."""
    global _look_again_at_s  # noqa: PLW0603 - as above
    if time.monotonic() < _look_again_at_s:
        return False
    url = urlsplit(DEFAULT_ENDPOINT)
    try:
        socket.create_connection((url.hostname, url.port), timeout=0.2).close()
    except OSError:
        if not _look_again_at_s:
            _logger.warning("llmlab tracks nothing, as no exporter runs at %s. %s", DEFAULT_ENDPOINT, _HOW_TO_NAME_ONE)
        _look_again_at_s = time.monotonic() + LOOK_AGAIN_S
        return False
    return True


def _made(settings: Settings) -> Delivery:
    api = settings.api()
    present = trace.get_tracer_provider()
    if not settings.endpoint and is_set_up(present):
        return SpanDelivery(present, is_ours=False)
    try:
        pipelines = import_module("llmlab.tracking.pipelines")
    except ModuleNotFoundError as error:
        _logger.info("llmlab posts calls one by one, since there is no %s: pip install 'llmlab[otlp]'", error.name)
        return EventDelivery(api, settings.service_name)
    provider = pipelines.own_tracer_provider(api.endpoint, api.headers, settings.service_name)
    return SpanDelivery(provider, is_ours=True)
