"""Groups of spans that grow pair by pair."""

from collections.abc import Iterable, Sequence

from llmlab_exporter.call import Call
from llmlab_exporter.dedupe.rule import Group, Identity, by_preference, source_of


class Groups:
    """Spans that are one call. A group has one span of each source at most, and one response id.

    Where the spans are `nested`, each service may have one: a proxy may give its client an id of its own.
    """

    def __init__(self, calls: Sequence[Call], *, nested: bool = False) -> None:
        self._calls = calls
        self._nested = nested
        self._groups: dict[int, list[int]] = {}

    def join(self, one: int, other: int) -> bool:
        """Make two spans one call, and say whether that is possible."""
        mine, theirs = self._group(one), self._group(other)
        if mine is theirs:
            return True
        together = mine + theirs
        if not self._fit(together):
            return False
        self._groups.update(dict.fromkeys(together, together))
        return True

    def found(self, depths: dict[Identity, int]) -> Iterable[Group]:
        """Return the groups, what is billed first."""
        distinct = {id(group): group for group in self._groups.values()}
        return [by_preference(self._calls, group, depths) for group in distinct.values()]

    def _group(self, position: int) -> list[int]:
        return self._groups.get(position) or [position]

    def _fit(self, group: Sequence[int]) -> bool:
        members = [self._calls[position] for position in group]
        if len({source_of(call) for call in members}) < len(members):
            return False
        ids = {(call.service if self._nested else "", call.reading.response_id) for call in members}
        places = [place for place, response_id in ids if response_id]
        return len(set(places)) == len(places)
