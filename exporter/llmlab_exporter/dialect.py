"""What it takes to understand the spans of one instrumentation."""

from collections.abc import Callable
from dataclasses import dataclass

from llmlab_exporter.call import Reading
from llmlab_exporter.span import RawSpan, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How to recognise one instrumentation's spans, and how to read them. One value per module of `dialects`."""

    name: str
    """Stored with each call, and shown by `llmlab inspect`."""
    scopes: tuple[str, ...] = ()
    """Prefixes of instrumentation scope names that speak this dialect. The scope decides before any attribute, and
    of several prefixes that fit, the longest."""
    markers: tuple[str, ...] = ()
    """Attribute keys, any of which gives the dialect away on a span of a scope that no dialect claims."""
    rank: int = 0
    """Of several dialects whose markers a span bears, the one of the lowest rank reads it."""
    needles: tuple[str, ...]
    """Every span that `read` understands contains at least one of these texts somewhere, and most other spans none:
    those are not even decoded."""
    attributes: tuple[str, ...]
    """The attribute keys that `read` looks at. Others may be missing from the span that it is given."""
    read: Callable[[RawSpan, Scope], Reading | None]
    """Understands one span. None when it is no LLM call at all. Texts and numbers must go through `reading.values`
    and `reading.counts`, which refuse what is absurd."""
