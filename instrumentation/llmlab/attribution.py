"""Whom and what a call is for.

    with llmlab.attribute(feature="search", user=user_id):
        client.chat.completions.create(...)

Sources, the strongest first: `attribute` around the call, OpenTelemetry baggage, the environment variable
`LLMLAB_TAGS`. Attributes of the OpenTelemetry resource come last, and only the exporter reads them.
"""

from collections.abc import Callable, Mapping
from functools import cache
from os import environ
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from opentelemetry import baggage, context

from llmlab.blocks import Block, surround
from llmlab.capture.switches import TAGS
from llmlab.surroundings import enter, here, leave, of
from llmlab.tags import NO_TAGS, Tags, Value, name_of, parse, tags_of

BAGGAGE_PREFIX = "llmlab."
"""Baggage entries that begin so are tags: `llmlab.user=u1`."""

P = ParamSpec("P")
R = TypeVar("R")


def attribute(
    *,
    feature: Value = None,
    user: Value = None,
    run: Value = None,
    session: Value = None,
    project: Value = None,
    propagate: bool = False,
    **tags: Value,
) -> "Attribution":
    """Attribute the calls inside a `with` block, or inside the function that is decorated with it.

    Blocks nest: an inner one adds to the outer one and overrides it. None says nothing. A value of more than 256
    characters, or one that is no text and no number, is left out and logged once; nothing is ever raised.

    Asyncio tasks keep the attribution, and so do threads and executors where LLMLab instruments the application;
    elsewhere there is `carry`. With `propagate` it becomes W3C baggage too: the services that you call inherit it, and
    everybody else you send requests to can read it.
    """
    said = {"feature": feature, "user": user, "run": run, "session": session, "project": project, **tags}
    return Attribution(tags_of(said), propagate=propagate)


class Attribution(Block):
    """What `attribute` returns. One object may serve many blocks, threads and tasks at once."""

    __slots__ = ("_propagate", "_tags")

    def __init__(self, tags: Tags, *, propagate: bool = False) -> None:
        self._tags = tags
        self._propagate = propagate

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Attribute the calls inside a function, plain or async, generator or not."""
        return surround(function, lambda: self)

    def __enter__(self) -> Self:
        outer = here()
        inside = _with_baggage(self._tags) if self._propagate else None
        enter(self, {**outer.tags, **self._tags}, outer.block, inside)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        leave(self)


def current_tags() -> Tags:
    """Return what calls made here are attributed to, as attributes. Do not change it."""
    return tags_in(context.get_current())


def tags_in(current: context.Context) -> Tags:
    """Return what calls made in a context are attributed to, as attributes. Do not change it."""
    if not current:
        return tags_of_environment()
    tags = of(current).tags
    carried = baggage.get_all(current)
    if tags or carried:
        return {**tags_of_environment(), **_of_baggage(carried), **tags}
    return tags_of_environment()


@cache
def tags_of_environment() -> Tags:
    """Return what `LLMLAB_TAGS` says, as it was when this was first asked."""
    return parse(environ.get(TAGS, ""))


def _of_baggage(entries: Mapping[str, object]) -> Tags:
    own = {name.removeprefix(BAGGAGE_PREFIX): entries[name] for name in entries if name.startswith(BAGGAGE_PREFIX)}
    return tags_of(own) if own else NO_TAGS


def _with_baggage(tags: Tags) -> context.Context:
    inside = context.get_current()
    for attribute_name, value in tags.items():
        inside = baggage.set_baggage(BAGGAGE_PREFIX + name_of(attribute_name), value, inside)
    return inside
