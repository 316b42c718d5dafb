"""What the records of one call know together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from llmlab_exporter.call import Call, Reading
from llmlab_exporter.reading.counts import agree, completed

_GAPS = (
    "operation",
    "host",
    "request_model",
    "response_id",
    "tier",
    "stream",
    "finish_reason",
    "first_chunk_s",
    "provider_cost",
    "claimed_cost",
    "project",
    "feature",
    "user",
    "session",
    "run",
)
"""Fields that one record may have and another lack. `error` is not among them: an outer layer may fail by itself."""


def merged(calls: Sequence[Call], repeats: Mapping[int, int]) -> list[Call]:
    """Complete the calls that are billed by what their repetitions know: `repeats` is what `duplicates` found."""
    members: defaultdict[int, list[Call]] = defaultdict(list)
    for position, billed in sorted(repeats.items()):
        members[billed].append(calls[position])
    return [_completed(call, members[position]) if position in members else call for position, call in enumerate(calls)]


def _completed(call: Call, others: Sequence[Call]) -> Call:
    for other in others:
        served = other if _names_the_served_model(call.reading, other.reading) else call
        reading = _filled(call.reading, other.reading)
        call = call._replace(
            provider=call.provider or other.provider,
            model=served.model or other.model,
            reading=reading._replace(response_model=served.reading.response_model or other.reading.response_model),
        )
    return call


def _names_the_served_model(reading: Reading, other: Reading) -> bool:
    """Whether only the other record tells the served model, and this one repeats the alias that was asked for."""
    return reading.response_model in ("", reading.request_model) and (
        other.response_model not in ("", other.request_model)
    )


def _filled(reading: Reading, other: Reading) -> Reading:
    gaps = {field: getattr(other, field) for field in _GAPS if getattr(reading, field) in ("", None)}
    if agree(reading.usage, other.usage) and not other.usage_spoiled:
        gaps["usage"] = completed(reading.usage, other.usage)
    return reading._replace(**gaps)
