"""How each instrumentation writes an LLM call on a span. One dialect, one module.

To add a dialect, write a module here that defines `DIALECT`: it is found by being here. Dialects know nothing of each
other; what they share is in `llmlab_exporter.reading`.
"""

from importlib import import_module
from pkgutil import iter_modules

from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, origin
from llmlab_exporter.span import Wanted


def _found() -> list[Dialect]:
    return [import_module(f"{__name__}.{module.name}").DIALECT for module in iter_modules(__path__)]


DIALECTS: tuple[Dialect, ...] = tuple(sorted(_found(), key=lambda dialect: (dialect.rank, dialect.name)))
"""In the order in which they are tried."""


def _needles() -> list[str]:
    """Return them, first that of the conventions: it is in most spans of calls, and the search ends at what is found.

    One that contains another finds nothing that the other does not.
    """
    all_of_them = dict.fromkeys([conventions.NEEDLE, *(needle for each in DIALECTS for needle in each.needles)])
    return [each for each in all_of_them if not any(other in each for other in all_of_them if other != each)]


EXCEPTION_TYPE = "exception.type"
"""What OpenTelemetry's SDKs write on the event of an exception that ends a span."""

WANTED = Wanted(
    keys=frozenset((EXCEPTION_TYPE, *(key for each in DIALECTS for key in (*each.attributes, *each.markers)))),
    needles=tuple(needle.encode() for needle in _needles()),
    events=True,
    resource_keys=frozenset(origin.KEYS),
)
"""What the decoders must bring."""
