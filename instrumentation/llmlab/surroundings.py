"""What the code around a call says of it, kept where OpenTelemetry keeps the current span.

So asyncio tasks inherit it, and whatever carries OpenTelemetry's context to another thread carries this too. It is one
value, so that a call which nobody attributes pays for one look.
"""

from typing import NamedTuple, cast

from opentelemetry import context

from llmlab.tags import NO_TAGS, Tags

_KEY = context.create_key("llmlab.surroundings")


class Tracked:
    """A block of `track_cost`, as the calls inside see it."""

    def __init__(self, outer: "Tracked | None") -> None:
        self._outer = outer
        self.has_recorded = False
        """Whether a call inside was recorded, so that nothing that the block returns may count again."""

    def note_call(self) -> None:
        """Note that a call inside was recorded."""
        self.has_recorded = True
        self.note_call_outside()

    def note_call_outside(self) -> None:
        """Tell the blocks around this one that a call was recorded."""
        if self._outer is not None:
            self._outer.note_call()


class Surroundings(NamedTuple):
    """What holds inside a `with` block, or while a decorated function runs."""

    tags: Tags = NO_TAGS
    block: Tracked | None = None
    """The innermost one."""
    owner: object = None
    """Whose block this is."""
    before: context.Context | None = None
    """What held outside."""


_NOWHERE = Surroundings()


def here() -> Surroundings:
    """Return what holds here."""
    return of(context.get_current())


def of(current: context.Context) -> Surroundings:
    """Return what holds in a context."""
    return cast("Surroundings | None", current.get(_KEY)) or _NOWHERE


def enter(owner: object, tags: Tags, block: Tracked | None, inside: context.Context | None = None) -> None:
    """Begin a block. `inside` is the context to put it into, by default the present one."""
    before = context.get_current()
    context.attach(within(owner, tags, block, before, inside))


def within(
    owner: object, tags: Tags, block: Tracked | None, before: context.Context, inside: context.Context | None = None
) -> context.Context:
    """Return the context inside a block that begins in the context `before`."""
    return context.set_value(_KEY, Surroundings(tags, block, owner, before), before if inside is None else inside)


def place(around: context.Context, tags: Tags) -> context.Context:
    """Return a context with other tags, for a call that belongs to what a framework says of it."""
    return context.set_value(_KEY, of(around)._replace(tags=tags), around)


def leave(owner: object) -> Surroundings | None:
    """End the innermost block of an owner, and all that were left open inside it.

    None when it is not open here: a generator that was thrown away is closed in a foreign context. That is also why
    the outer context is put back by its value; OpenTelemetry's tokens would not work, and say so in the log.
    """
    found = here()
    while found.owner is not owner and found.before is not None:
        found = of(found.before)
    if found.owner is not owner or found.before is None:
        return None
    context.attach(found.before)
    return found
