"""OpenTelemetry's current context, without the two functions that its API puts before every look at it.

A call of an SDK asks for it, changes it and puts it back, and each function on that way is paid for by every call.
Where OpenTelemetry keeps it elsewhere than in a context variable (`OTEL_PYTHON_CONTEXT`), its API does the work.
"""

from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext

(SPAN,) = trace.set_span_in_context(trace.INVALID_SPAN, context.Context())
"""Where OpenTelemetry keeps the current span. `set_span_in_context` would make one more copy for each call."""


def _variable() -> "ContextVar[context.Context] | None":
    keeper = getattr(context, "_RUNTIME_CONTEXT", None)
    variable: Any = getattr(keeper, "_current_context", None) if type(keeper) is ContextVarsRuntimeContext else None
    return variable if isinstance(variable, ContextVar) else None


_kept = _variable()

current: Callable[[], context.Context] = context.get_current if _kept is None else _kept.get
"""Return the current context."""
attach: "Callable[[context.Context], Token[context.Context]]" = context.attach if _kept is None else _kept.set
"""Make a context the current one. Returns what `detach` takes."""
detach: "Callable[[Token[context.Context]], None]" = context.detach if _kept is None else _kept.reset
"""Make the context current that was so before. Raises ValueError or logs an error where another context holds."""
