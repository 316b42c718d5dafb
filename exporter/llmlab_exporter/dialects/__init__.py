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

WANTED = Wanted(
    keys=frozenset(key for dialect in DIALECTS for key in (*dialect.attributes, *dialect.markers)),
    needles=tuple(dict.fromkeys(needle.encode() for dialect in DIALECTS for needle in dialect.needles)),
    events=any(dialect.wants_events for dialect in DIALECTS),
    resource_keys=frozenset(origin.KEYS),
)
"""What the decoders must bring."""
