"""Wrapping an SDK's functions when the application imports them, and putting the originals back."""

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import CellType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import wrapt
from opentelemetry import metrics, trace
from packaging.specifiers import SpecifierSet

from llmlab._version import __version__
from llmlab.capture.client_metrics import ClientMetrics
from llmlab.capture.faults import Guard
from llmlab.capture.recording import Recorder
from llmlab.capture.replacing import Switch, is_replaced, replacement
from llmlab.capture.switches import asks_for_content
from llmlab.capture.wrapping import Wrapper, own_span_wrapper, wrapper
from llmlab.providers import Call, Hook, Provider

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider

_logger = logging.getLogger("llmlab")

_CONTENTS = "cell_contents"


class Patch(NamedTuple):
    """One attribute that we replaced."""

    owner: Any
    """The class or module, or the cell of a closure."""
    attribute: str
    original: Any
    replacement: Any
    inherited: bool
    """Whether the owner itself had no such attribute."""


class Installation:
    """One provider, instrumented. It never imports the SDK: it waits until the application does."""

    def __init__(
        self,
        provider: Provider,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        logger_provider: "LoggerProvider | None" = None,
        *,
        only_where: Callable[[], bool] | None = None,
    ) -> None:
        """Without providers, the global ones are used. `only_where` says which calls to record, by default all; it
        leaves the functions alone that somebody instruments already."""
        self._provider = provider
        scope = f"llmlab.instrumentation.{provider.name}"
        tracer = trace.get_tracer(scope, __version__, tracer_provider)
        self._recorder = Recorder(provider, tracer, ClientMetrics(scope, meter_provider))
        self._only_where = only_where
        self._switch = Switch()
        self._with_content: Callable[[Call], Call] | None = None
        if provider.content and asks_for_content():
            self._with_content = _content().content_recorder(provider, scope, logger_provider)
        self._patches: list[Patch] = []
        for call in provider.calls:
            wrapt.register_post_import_hook(partial(self._instrument, call), call.module)
        for hook in provider.hooks:
            wrapt.register_post_import_hook(partial(self._hook_into, hook), hook.module)
        for module, function in provider.own_spans:
            wrapt.register_post_import_hook(partial(self._replace_own_span, function), module)

    def remove(self) -> None:
        """Put every original back.

        Where another library has wrapped our wrapper since, taking ours out would take theirs out too: it stays and
        only passes calls on.
        """
        self._switch.is_on = False
        while self._patches:
            undo(self._patches.pop())

    def _instrument(self, call: Call, module: ModuleType) -> None:
        # An exception here would make the application's own import of the SDK fail.
        with Guard(f"instrument {self._provider.distribution} ({call.module}.{call.attribute})"):
            if self._switch.is_on and self._is_supported:
                if self._with_content is not None:
                    call = self._with_content(call)
                around = wrapper(call, self._recorder)
                self._patch(module, call.attribute, around, is_optional=call.is_optional, closure=call.closure)

    def _hook_into(self, hook: Hook, module: ModuleType) -> None:
        with Guard(f"hook into {self._provider.distribution} ({hook.module}.{hook.attribute})"):
            if self._switch.is_on and self._is_supported:
                self._patch(module, hook.attribute, hook.wrapper(self._recorder), is_optional=hook.is_optional)

    def _replace_own_span(self, function: str, module: ModuleType) -> None:
        with Guard(f"replace the spans of {self._provider.distribution} ({module.__name__}.{function})"):
            if self._switch.is_on and self._is_supported:
                self._patch(module, function, own_span_wrapper(self._recorder), is_optional=True)

    def _patch(self, module: ModuleType, path: str, around: Wrapper, *, is_optional: bool, closure: str = "") -> None:
        try:
            owner, attribute, original = wrapt.resolve_path(module, path)
            if closure:
                owner, attribute = _cell(original, closure), _CONTENTS
                original = owner.cell_contents
            elif (inside := _inside_deprecated(original)) is not None and "." in path:
                owner, attribute, around = inside, _CONTENTS, _of_method(around)
                original = inside.cell_contents
        except AttributeError:
            if is_optional:
                return
            raise
        known = next((patch for patch in self._patches if patch.replacement is original), None)
        if known is not None:  # the module took the function from another one, where we had wrapped it already
            self._patches.append(known._replace(owner=owner, attribute=attribute))
            return
        if self._only_where is not None:
            if is_replaced(original):
                return
            around = _only_where(around, self._only_where)
        inherited = not isinstance(owner, CellType) and attribute not in vars(owner)
        ours = replacement(original, around, self._switch, is_method=isinstance(owner, type))
        setattr(owner, attribute, ours)
        self._patches.append(Patch(owner, attribute, original, ours, inherited))

    @cached_property
    def _is_supported(self) -> bool:
        name, wanted = self._provider.distribution, self._provider.versions
        try:
            found = version(name)
        except PackageNotFoundError:
            _logger.warning("llmlab does not record calls of %s: it is imported but not installed", name)
            return False
        if SpecifierSet(wanted).contains(found, prereleases=True):
            return True
        _logger.warning("llmlab does not record calls of %s %s: it supports %s%s", name, found, name, wanted)
        return False


def _content() -> Any:
    """Return what records prompts and answers. It is imported here, since most programs want none of them recorded."""
    return import_module("llmlab.capture.content")


def _cell(function: Any, name: str) -> CellType:
    """Return what holds a variable of the closure of a function, or of one that it decorates.

    Raises:
        AttributeError: none of them has such a variable.
    """
    while function is not None:
        code = getattr(function, "__code__", None)
        if code is not None and name in code.co_freevars:
            return function.__closure__[code.co_freevars.index(name)]
        function = getattr(function, "__wrapped__", None)
    raise AttributeError(f"nothing that is called {name} is decorated")


def _inside_deprecated(function: Any) -> CellType | None:
    """Return what holds a function that is marked as deprecated, None where it is not or gives no warning.

    The mark warns whoever calls it by counting frames, so that one of ours must not come in between.
    """
    if isinstance(function, FunctionType) and hasattr(function, "__deprecated__"):
        with suppress(AttributeError):
            return _cell(function, "arg")  # its name in `typing_extensions.deprecated` and `warnings.deprecated`
    return None


def _of_method(around: Wrapper) -> Wrapper:
    """Return the wrapper for a method that gets its instance as the first argument, as a plain function does."""

    def call(original: Callable[..., Any], _: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        return around(partial(original, args[0]), args[0], args[1:], keywords)

    return call


def _only_where(around: Wrapper, is_there: Callable[[], bool]) -> Wrapper:
    def call(original: Callable[..., Any], client: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        return around(original, client, args, keywords) if is_there() else original(*args, **keywords)

    return call


def undo(patch: Patch) -> None:
    """Put an original back, unless another library has wrapped our replacement since."""
    is_cell = isinstance(patch.owner, CellType)
    present = patch.owner.cell_contents if is_cell else vars(patch.owner).get(patch.attribute)
    if present is not patch.replacement:
        return
    if patch.inherited:
        delattr(patch.owner, patch.attribute)
    else:
        setattr(patch.owner, patch.attribute, patch.original)
