"""Whether two records name the same model, of which one may know only the alias that was asked for."""

import re
from functools import lru_cache

from llmlab_exporter.call import Call

_SELLER = re.compile(r"(?:[a-z-]{2,9}\.)?[a-z0-9]+\.(?=[a-z])|.*/")
"""What stands before a model's name: the region and the vendor at Bedrock, or what gateways put there."""
_BEDROCK_VERSION = re.compile(r"-v\d+(?::\d+)?$")
_SNAPSHOT = re.compile(r"[-@](?:latest|\d{4}-\d{2}-\d{2}|\d{2}-\d{4}|\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{3})$")
"""How providers name the snapshots of a model: `-2024-11-20`, `-20250929`, `-08-2024`, `-0125`, `-2411`, `-001`."""


def same_model(one: Call, other: Call) -> bool:
    """Whether two records name one model: by the same name, or one by that of a snapshot and one by its alias."""
    mine, theirs = _names(one), _names(other)
    return not mine.isdisjoint(theirs) or any(_may_be(name, another) for name in mine for another in theirs)


def families_of(call: Call) -> set[str]:
    """Return what the names of the same model have in common."""
    return {family_of(name) for name in _names(call)}


@lru_cache(maxsize=4096)
def family_of(model: str) -> str:
    """Return a model's name without its snapshot, and without who sells it."""
    return _SNAPSHOT.sub("", _plain(model))


def _plain(model: str) -> str:
    name = model.lower()
    sold_as = _SELLER.match(name)
    return _BEDROCK_VERSION.sub("", name[sold_as.end() :] if sold_as else name)


def _may_be(one: str, other: str) -> bool:
    """Whether both names are of one family, and one of them names no snapshot."""
    family = family_of(one)
    return family == family_of(other) and not {family, f"{family}-latest"}.isdisjoint((_plain(one), _plain(other)))


def _names(call: Call) -> set[str]:
    return {call.reading.request_model, call.model} - {""}
