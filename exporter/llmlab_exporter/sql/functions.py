"""Which functions a statement may call: an allow-list, taken from the engine's own catalogue by category."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

QUERY = "SELECT name, alias_to, is_aggregate, categories FROM system.functions WHERE origin = 'System'"

_CATEGORIES = frozenset(
    {
        "Aggregate Functions",
        "Arithmetic",
        "Arrays",
        "Bit",
        "Bitmap",
        "Comparison",
        "Conditional",
        "Dates and Times",
        "Distance",
        "Encoding",
        "Financial",
        "Hash",
        "IP Address",
        "JSON",
        "Logical",
        "Map",
        "Mathematical",
        "Null",
        "Random Number",
        "Rounding",
        "String",
        "String Replacement",
        "String Search",
        "String Splitting",
        "Time Window",
        "Tuple",
        "Type Conversion",
        "URL",
        "UUID",
    }
)
_ALSO = frozenset(
    {
        "bar",
        "casewithexpression",
        "countdigits",
        "currentdatabase",
        "currentuser",
        "defaultvalueofargumenttype",
        "defaultvalueoftypename",
        "digits",
        "displayname",
        "exists",
        "finalizeaggregation",
        "formatreadabledecimalsize",
        "formatreadablequantity",
        "formatreadablesize",
        "formatreadabletimedelta",
        "grouping",
        "hostname",
        "identity",
        "isconstant",
        "isdecimaloverflow",
        "lambda",
        "materialize",
        "neighbor",
        "parsereadablesize",
        "parsereadablesizeornull",
        "parsereadablesizeorzero",
        "parsetimedelta",
        "revision",
        "rownumberinallblocks",
        "rownumberinblock",
        "runningaccumulate",
        "runningdifference",
        "throwif",
        "tocolumntypename",
        "totypename",
        "transform",
        "untuple",
        "uptime",
        "version",
        "visiblewidth",
    }
)
"""Of the categories that hold everything else, what a dashboard may want and what clients ask first."""
_NEVER = frozenset({"reversednsquery"})
_COMBINATORS = (
    "simplestate",
    "ordefault",
    "distinct",
    "resample",
    "foreach",
    "argmax",
    "argmin",
    "ornull",
    "tuple",
    "merge",
    "state",
    "array",
    "null",
    "map",
    "if",
)


class Entry(NamedTuple):
    """A function as the engine describes it."""

    name: str
    alias_to: str
    is_aggregate: bool
    categories: str


@dataclass(frozen=True, slots=True)
class Functions:
    """The engine's functions by what we think of them. Names are compared without case, so that none slips by it."""

    known: frozenset[str]
    allowed: frozenset[str]
    aggregates: frozenset[str]

    def allow(self, name: str) -> bool:
        """Tell whether a function may be called; aggregate functions take combinators (`sumIf`, `maxOrNull`)."""
        lower = name.lower()
        return lower in self.allowed or self._combined(lower)

    def forbid(self, name: str) -> bool:
        """Tell whether a name is a function's that may not be called."""
        return name.lower() in self.known and not self.allow(name)

    def _combined(self, lower: str) -> bool:
        if lower in self.known:
            return False
        bases = (lower.removesuffix(suffix) for suffix in _COMBINATORS if lower.endswith(suffix) and lower != suffix)
        return any(base in self.aggregates or self._combined(base) for base in bases)


def read(entries: Iterable[Entry]) -> Functions:
    """Sort the engine's functions."""
    listed = list(entries)
    safe = {entry.name.lower() for entry in listed if not entry.alias_to and _safe(entry)}
    safe |= {entry.name.lower() for entry in listed if entry.alias_to and entry.alias_to.lower() in safe}
    safe = (safe | _ALSO) - _NEVER
    aggregates = {entry.name.lower() for entry in listed if entry.is_aggregate}
    known = {entry.name.lower() for entry in listed}
    return Functions(frozenset(known), frozenset(safe), frozenset(aggregates & safe))


def _safe(entry: Entry) -> bool:
    return entry.categories in _CATEGORIES or entry.name.lower() in _ALSO
