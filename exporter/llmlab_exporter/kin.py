"""Finds among remembered calls those that may be the same call as another one, without looking at all of them."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from llmlab_exporter.assess import Line
from llmlab_exporter.call import STREAM_ENDED, Call
from llmlab_exporter.dedupe.models import families_of
from llmlab_exporter.dedupe.rule import Source, response_of, source_of

MAX_ALIKE = 500
"""So many calls that are alike are looked at, the latest of them."""

_MANY_SOURCES = 2
_RESPONSE = "response"

_Key = tuple[str | int | None, ...]

_NEAR_NS = 10 * 10**9
"""Calls that are alike must last at the same time, or end within this of each other."""


class Kept:
    """A remembered call."""

    __slots__ = ("group", "is_gone", "is_indexed", "line", "own", "response", "since_s", "version")

    def __init__(self, line: Line, version: int, since_s: float) -> None:
        self.line = line
        self.own = line.said or line.call
        """What its span said; `line` changes, and this does not."""
        self.response = _response(self.own)
        """What other records of its response are found by."""
        self.version = version
        """In the store; 0 until it is committed."""
        self.since_s = since_s
        self.group: Sequence[Kept] = ()
        """All records of the call, if there are several."""
        self.is_gone = False
        self.is_indexed = False
        """Whether it can be found by what it is like; by its trace and its response it always can."""


class Identity(NamedTuple):
    """What a stored call is found by."""

    org: str
    project: str
    trace_id: bytes
    span_id: bytes


class _Index:
    """Calls by a key, in the order in which they came."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, Kept | deque[Kept]] = {}

    def add(self, key: Hashable, call: Kept) -> bool:
        """Add a call; True when there are others with this key."""
        found = self._calls.setdefault(key, call)
        if found is call:
            return False
        if isinstance(found, Kept):
            self._calls[key] = deque((found, call))
        else:
            found.append(call)
        return True

    def remove(self, key: Hashable, *, newest: bool = False) -> None:
        """Remove the oldest, or the newest, call with a key."""
        found = self._calls[key]
        if isinstance(found, Kept):
            del self._calls[key]
            return
        found.pop() if newest else found.popleft()
        if not found:
            del self._calls[key]

    def get(self, key: Hashable) -> Iterable[Kept]:
        """Return the calls with a key, the latest first."""
        found = self._calls.get(key, ())
        return (found,) if isinstance(found, Kept) else reversed(found)


class Kin:
    """Remembered calls, by what the rules compare."""

    def __init__(self) -> None:
        self._traces = _Index()
        self._others = _Index()
        self._sources: dict[str, set[Source]] = {}
        """By service. Most services have one, and then no two of their calls can be the same by likeness."""
        self._unindexed: dict[str, deque[Kept]] = {}
        """By service, the calls of those that have one source."""

    def add(self, calls: Iterable[Kept]) -> list[Kept]:
        """Add calls, and return those of them that have relatives which may matter."""
        add_trace, add_other = self._traces.add, self._others.add
        near: list[Kept] = []
        for each in calls:
            own = each.own
            is_near = add_trace(own.trace_id, each)
            if each.response:
                is_near |= add_other(each.response, each)
            if self._has_many_sources(own):
                self._index(each)
                is_near = True
            else:
                self._unindexed[own.service].append(each)
            if is_near:
                near.append(each)
        return [each for each in near if self._matters(each)]

    def take_back(self, calls: Sequence[Kept]) -> None:
        """Remove the calls that were added last."""
        for each in reversed(calls):
            self._remove(each, newest=True)

    def remove(self, each: Kept) -> None:
        """Remove the call that was added first."""
        self._remove(each, newest=False)

    def near(self, each: Kept) -> Iterator[Kept]:
        """Yield calls that may be the same as one, and what is in its trace."""
        for other in self._traces.get(each.own.trace_id):
            if not other.is_gone:
                yield other
        yield from self._alike(each)

    def of_same_response(self, each: Kept) -> Iterator[Kept]:
        """Yield calls that tell of the same response."""
        if each.response:
            for other in islice(self._others.get(each.response), MAX_ALIKE):
                if other is not each and not other.is_gone:
                    yield other

    def knows_response(self, org: str, project: str, response_id: str) -> bool:
        """Whether some call tells of a response."""
        return any(not each.is_gone for each in self._others.get((_RESPONSE, org, project, response_id)))

    def find(self, identity: Identity) -> Kept | None:
        """Return the call that is stored under an identity."""
        return self._find(identity, lambda line: line.call)

    def find_own(self, own: Call) -> Kept | None:
        """Return the remembered call of a span."""
        return self._find(_identity(own), lambda line: line.own)

    def _find(self, identity: Identity, call_of: Callable[[Line], Call]) -> Kept | None:
        for each in self._traces.get(identity.trace_id):
            if not each.is_gone and _identity(call_of(each.line)) == identity:
                return each
        return None

    def _remove(self, each: Kept, *, newest: bool) -> None:
        own = each.own
        self._traces.remove(own.trace_id, newest=newest)
        if each.response:
            self._others.remove(each.response, newest=newest)
        if each.is_indexed:
            for key in _likeness(own):
                self._others.remove(key, newest=newest)
            return
        others = self._unindexed[own.service]
        others.pop() if newest else others.popleft()
        if not others and len(self._sources[own.service]) < _MANY_SOURCES:
            del self._unindexed[own.service], self._sources[own.service]

    def _index(self, each: Kept) -> None:
        for key in _likeness(each.own):
            self._others.add(key, each)
        each.is_indexed = True

    def _matters(self, each: Kept) -> bool:
        return next(self._alike(each), None) is not None or self._trace_matters(each)

    def _trace_matters(self, each: Kept) -> bool:
        """Whether there is something to tell apart in a trace: several sources, or a call without a response id.

        What comes above a call that has several records may change which of them is the deepest.
        """
        sources: set[Source] = set()
        count = 0
        surrounds = False
        for other in self._traces.get(each.own.trace_id):
            own = other.own
            if other.group and not other.is_gone:
                return True
            if own.reading.billable and not other.is_gone:
                count += 1
                sources.add(source_of(own))
                surrounds = surrounds or not own.reading.response_id
        return count > 1 and (surrounds or len(sources) > 1)

    def _alike(self, each: Kept) -> Iterator[Kept]:
        own = each.own
        source = source_of(own)
        for key in _lookups(own):
            for other in islice(self._others.get(key), MAX_ALIKE):
                if other is each or other.is_gone:
                    continue
                if key[0] == _RESPONSE or _may_be_same(own, source, other.own):
                    yield other

    def _has_many_sources(self, call: Call) -> bool:
        """Whether a service has several sources; those calls of it that came before are found by likeness from then."""
        sources = self._sources.get(call.service)
        if sources is None:
            sources = self._sources[call.service] = set()
            self._unindexed[call.service] = deque()
        if len(sources) == _MANY_SOURCES:
            return True
        if not call.reading.billable or (source := source_of(call)) in sources:
            return False
        sources.add(source)
        if len(sources) < _MANY_SOURCES:
            return False
        for earlier in self._unindexed[call.service]:
            self._index(earlier)
        self._unindexed[call.service].clear()
        return True


def _identity(call: Call) -> Identity:
    return Identity(call.org, call.project, call.trace_id, call.span_id)


def _may_be_same(one: Call, source: Source, other: Call) -> bool:
    if one.reading.response_id and other.reading.response_id not in ("", one.reading.response_id):
        return False
    if STREAM_ENDED in (one.reading.layer, other.reading.layer):
        return True
    return (
        one.start_ns <= other.end_ns + _NEAR_NS
        and other.start_ns <= one.end_ns + _NEAR_NS
        and source_of(other) != source
    )


def _response(call: Call) -> _Key | None:
    reading = call.reading
    if not (reading.response_id and reading.billable and (response_id := response_of(call))):
        return None
    return _RESPONSE, call.org, call.project, response_id


def _likeness(call: Call) -> list[_Key]:
    """Return what a call is like: its work, and the models of which it may be a silent record.

    Calls that name a response are kept apart, since those that name different ones are never the same.
    """
    reading = call.reading
    keys: list[_Key] = []
    if reading.billable:
        usage = reading.usage
        if usage.known:
            work = (call.service, usage.input, usage.output or 0)
            keys.append(("named work" if reading.response_id else "work", *work))
            if reading.response_id and not response_of(call):
                keys.append(("numbered work", *work, reading.response_id))
        kind = "telling" if usage.known else "silent"
        keys += [(kind, call.service, family) for family in families_of(call)]
    if reading.layer:
        keys.append(("stream", call.service, call.scope, reading.request_model))
    return keys


_OTHERS = {
    "telling": ("silent",),
    "silent": ("telling", "silent"),
    "named work": ("work",),
    "work": ("work", "named work"),
}
"""Of each kind of likeness, those of calls that may be the same; of the rest, the kind itself."""


def _lookups(call: Call) -> list[_Key]:
    """Return the keys of what may be the same call."""
    keys: list[_Key] = [(other, *rest) for kind, *rest in _likeness(call) for other in _OTHERS.get(str(kind), (kind,))]
    return [response, *keys] if (response := _response(call)) else keys
