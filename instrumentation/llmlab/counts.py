"""What one reply counted, as it goes onto a span: the fields of a `Usage`, by the names of their attributes.

Only what was reported is in it. To write down what a response says takes a call in the application less time in this
form; where counts are added up or compared, a `Usage` is the better form.
"""

from collections.abc import Mapping
from typing import Any

from llmlab import semconv
from llmlab.usage import MEASURES, Usage

Counts = Mapping[str, int]
"""Counts by attribute name. A name that is not there was not reported; 0 was."""


class _Nothing(dict[str, Any]):
    """An empty mapping that nobody changes: one for all may then be the default of a dataclass's field."""

    __hash__ = object.__hash__  # pyright: ignore[reportAssignmentType]


NOTHING: Mapping[str, Any] = _Nothing()
NO_COUNTS: Counts = NOTHING

_NAMES = tuple(semconv.USAGE_ATTRIBUTES[field] for field in Usage._fields)
_FIELDS = {attribute: field for field, attribute in semconv.USAGE_ATTRIBUTES.items()}
MEASURED = frozenset(semconv.USAGE_ATTRIBUTES[field] for field in MEASURES)
"""The names of the counts that tell how much the model worked, as `Usage.known` knows them."""


def counts_of(usage: Usage) -> dict[str, int]:
    """Return what is known of a usage."""
    return {name: count for name, count in zip(_NAMES, usage, strict=True) if count is not None}


def usage_of(counts: Counts) -> Usage:
    """Return the usage that was counted."""
    return Usage(**{_FIELDS[name]: count for name, count in counts.items()})


def tell_work(counts: Counts) -> bool:
    """Say whether counts tell how much the model worked at all."""
    return not MEASURED.isdisjoint(counts)
