"""One export request taken through the exporter's stages by itself: read, normalised, deduplicated, priced."""

from collections.abc import Mapping
from typing import NamedTuple

from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import Line, assess
from llmlab_exporter.decode import decode
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.normalise import normalise

_LATEST_NS = 2**63 - 1
"""A recording may come from a clock ahead of ours."""


class Inspection(NamedTuple):
    """One export request."""

    lines: list[Line]
    """Those that a dialect reads."""
    ignored: int
    """Spans that are no LLM calls."""
    rejected: Mapping[str, int]
    """Spans that the exporter would refuse, by reason."""
    rejection: str
    """The first refusal in words."""


def inspect_request(body: bytes, content_type: str, pricer: Pricer) -> Inspection:
    """Say what the exporter makes of a request. Raises what `decode` raises."""
    intake = normalise(decode(body, content_type, WANTED), latest_ns=_LATEST_NS)
    return Inspection(assess(intake.calls, pricer), intake.ignored, intake.rejected, intake.rejection)
