"""How each instrumentation writes an LLM call on a span. One dialect, one module.

To add a dialect, write a module here that defines `DIALECT` and name it in `DIALECTS`, in the order of precedence.
"""

from collections.abc import Callable
from dataclasses import dataclass

from llmlab_exporter.call import Reading


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to recognise one instrumentation's spans and how to read them."""

    name: str
    """Stored with each call, and shown by `llmlab inspect`."""
    scopes: tuple[str, ...]
    """Prefixes of instrumentation scope names that speak this dialect. The scope decides before any attribute."""
    markers: tuple[str, ...]
    """Attribute keys that give the dialect away on a span of an unknown scope."""
    attributes: tuple[str, ...]
    """The attribute keys that `read` wants, in the order of its parameters."""
    read: Callable[..., Reading | None]
    """Understands one span. None when the span is no LLM call at all."""
