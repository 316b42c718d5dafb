"""Reporting calls by hand.

    from llmlab import sdk

    sdk.init("llmlab_...")
    sdk.track_call("openai", "gpt-4", 1000, 500, metadata={"feature": "summarization"})

Nothing here waits for the network, except `flush` and `get_recommendations`, whose answer you wait for.
"""

import logging
import time
from collections.abc import Mapping
from typing import Any

from llmlab.attribution import current_tags
from llmlab.capture.faults import Guard
from llmlab.providers import Reply
from llmlab.surroundings import here
from llmlab.tags import tags_of
from llmlab.tracking import delivery
from llmlab.tracking.deliveries import ReportedCall
from llmlab.tracking.delivery import Settings
from llmlab.tracking.exporter_api import Refused, Unreachable
from llmlab.usage import MEASURES, Usage, contradictions

__all__ = ["dropped_calls", "flush", "get_recommendations", "init", "track_call"]

MAX_COUNT = 10**12
"""Of one call, as the exporter has it. The largest context windows hold 10^7 tokens."""

_logger = logging.getLogger("llmlab")
_settings = Settings()
_logged: set[str] = set()
_reporting = Guard("report a call")


def init(api_key: str | None = None, endpoint: str | None = None, *, service_name: str | None = None) -> None:
    """Say where calls go that `track_call` and `track_cost` report.

    With an `endpoint` (`http://127.0.0.1:4318`) they go to the exporter there. Without one they take the pipeline that
    OpenTelemetry is set up with; where it is not set up, they go to the exporter at `LLMLAB_URL`, or on this machine.
    `api_key` is sent along, by default the one in `LLMLAB_API_KEY`. Calling it again sends what is queued first.

    Raises ValueError when the endpoint is no URL.
    """
    global _settings  # noqa: PLW0603 - one set of settings for the process
    _settings = Settings(api_key or "", endpoint or "", service_name or "")
    delivery.choose(_settings)


def track_call(
    provider: str,
    model: str,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    metadata: Mapping[str, Any] | None = None,
    *,
    response_id: str | None = None,
    tier: str | None = None,
    duration_s: float = 0.0,
    **parts: int,
) -> None:
    """Report one call that nothing else records. Returns at once; the call is sent in the background.

    `input_tokens` and `output_tokens` are totals. `parts` says what they contain, by the names of the fields of
    `llmlab.usage.Usage`: `cache_read=1024, reasoning=192`. What is billed by images, characters, pages, searches or
    time needs no tokens: `images=2, tier="hd 1024x1792"`. `metadata` attributes the call, like `llmlab.attribute`.
    A `response_id` lets the exporter recognise a call that is recorded elsewhere too.

    Raises ValueError when a count is missing, negative or no whole number, or when parts exceed their total.
    """
    _require_name("provider", provider)
    _require_name("model", model)
    usage = _usage({"input": input_tokens, "output": output_tokens, **parts})
    if duration_s < 0:
        raise ValueError(f"duration_s is {duration_s}, and time does not run backwards")
    with _reporting:
        ended_ns = time.time_ns()
        delivery.delivery().deliver(
            ReportedCall(
                provider=provider,
                model=model,
                reply=Reply(id=response_id, tier=tier).with_usage(usage),
                tags={**current_tags(), **tags_of(metadata or {})},
                started_ns=ended_ns - int(duration_s * 1e9),
                ended_ns=ended_ns,
            )
        )
        if (block := here().block) is not None:
            block.note_call()


def get_recommendations() -> list[dict[str, Any]]:
    """Fetch the exporter's cost-saving tips; an empty list when there are none, or when it cannot be asked."""
    try:
        return _settings.api().recommendations()
    except (Unreachable, Refused, ValueError) as error:
        if str(error) not in _logged:
            _logged.add(str(error))
            _logger.warning("llmlab has no recommendations for you: %s", error)
        return []


def flush(timeout_s: float = 10.0) -> bool:
    """Wait until all calls so far are sent. Return False when the time is over before."""
    return delivery.flush(timeout_s)


def dropped_calls() -> int:
    """Return how many calls will never arrive: nobody took them, too many waited, or the exporter refused them.

    OpenTelemetry's SDK drops spans without saying how many, so those are not in this number.
    """
    return delivery.dropped()


_TOKENS = ("input", "output")
_OTHER_MEASURES = frozenset(MEASURES) - {*_TOKENS}
"""What is billed instead of tokens."""


def _require_name(argument: str, value: object) -> None:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"track_call needs the name of a {argument}, and got {value!r}")


def _usage(counts: dict[str, int | None]) -> Usage:
    if not counts.keys().isdisjoint(_OTHER_MEASURES):
        counts = {name: count for name, count in counts.items() if count is not None or name not in _TOKENS}
    for name, count in counts.items():
        if name not in Usage._fields:
            raise ValueError(f"{name} is no count; there are {', '.join(Usage._fields)}")
        if count is None:
            raise ValueError(f"track_call needs {name}_tokens; 0 says that there were none")
        if type(count) is not int or not 0 <= count <= MAX_COUNT:
            raise ValueError(f"{name} is {count!r}; a count is a whole number from 0 to {MAX_COUNT:,}")
    usage = Usage(**counts)
    if found := contradictions(usage):
        raise ValueError(f"the counts contradict each other: {'; '.join(found)}")
    return usage
