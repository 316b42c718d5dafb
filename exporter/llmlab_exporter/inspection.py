"""One export request taken through the exporter's stages by itself: read, normalised, deduplicated, priced."""

from collections.abc import Mapping
from typing import NamedTuple

from llmlab.pricing import Priced
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.call import Call
from llmlab_exporter.decode import decode
from llmlab_exporter.dedupe import duplicates
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.normalise import normalise
from llmlab_exporter.pricing import price

_LATEST_NS = 2**63 - 1
"""A recording may come from a clock ahead of ours."""


class Inspected(NamedTuple):
    """One span that a dialect reads."""

    call: Call
    """Not billable when it repeats another one."""
    priced: Priced
    duplicate_of: bytes
    """The span that is billed instead, empty when this is no duplicate."""


class Inspection(NamedTuple):
    """One export request."""

    spans: list[Inspected]
    ignored: int
    """Spans that are no LLM calls."""
    rejected: Mapping[str, int]
    """Spans that the exporter would refuse, by reason."""
    rejection: str
    """The first refusal in words."""


def inspect_request(body: bytes, content_type: str, pricer: Pricer) -> Inspection:
    """Say what the exporter makes of a request. Raises what `decode` raises."""
    intake = normalise(decode(body, content_type, WANTED), latest_ns=_LATEST_NS)
    repeats = duplicates(intake.calls)
    spans: list[Inspected] = []
    for position, call in enumerate(intake.calls):
        billed = intake.calls[repeats[position]].span_id if position in repeats else b""
        seen = call._replace(reading=call.reading._replace(billable=False)) if billed else call
        spans.append(Inspected(seen, price(seen, pricer), billed))
    return Inspection(spans, intake.ignored, intake.rejected, intake.rejection)
