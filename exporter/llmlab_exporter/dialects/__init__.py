"""How each instrumentation writes an LLM call on a span. One dialect, one module.

To add a dialect, write a module here that defines `DIALECT`: it is found by being here. Dialects know nothing of each
other; what they share is in `llmlab_exporter.reading`.
"""

from importlib import import_module
from pkgutil import iter_modules

from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import origin
from llmlab_exporter.span import Wanted


def _found() -> list[Dialect]:
    return [import_module(f"{__name__}.{module.name}").DIALECT for module in iter_modules(__path__)]


DIALECTS: tuple[Dialect, ...] = tuple(sorted(_found(), key=lambda dialect: (dialect.rank, dialect.name)))
"""In the order in which they are tried."""

EXCEPTION_TYPE = "exception.type"
"""What OpenTelemetry's SDKs write on the event of an exception that ends a span."""

WANTED = Wanted(
    keys=frozenset((EXCEPTION_TYPE, *(key for each in DIALECTS for key in (*each.attributes, *each.markers)))),
    needles=tuple(dict.fromkeys(needle.encode() for dialect in DIALECTS for needle in dialect.needles)),
    events=True,
    resource_keys=frozenset(origin.KEYS),
)
"""What the decoders must bring."""
