"""One call, several spans: which of them is billed.

A call is recorded twice when a span is delivered twice, when two instrumentations watch one SDK, when a framework
records what its SDK records too, or when a proxy records what its client does. A rule finds spans that are the same
call; the rules are tried in order, and each sees only what the earlier ones left.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from llmlab_exporter.call import Call

Group = Sequence[int]
"""Positions of calls that are one call, the one that is billed first."""

Rule = Callable[[Sequence[Call], Sequence[int]], Iterable[Group]]
"""Finds groups among the calls at the given positions."""


def duplicates(calls: Sequence[Call]) -> dict[int, int]:
    """Find the calls that repeat another one: the position of each, and that of the one that is billed."""
    found: dict[int, int] = {}
    for rule in RULES:
        left = [position for position in range(len(calls)) if position not in found]
        for billed, *others in rule(calls, left):
            found.update(dict.fromkeys(others, billed))
    return {position: _last(found, position) for position in found}


def same_span(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans that were delivered more than once, as every sender does after an answer was lost."""
    return _alike(positions, lambda position: (*_tenant(calls[position]), *_identity(calls[position])))


def same_response(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans that tell of the same response, wherever they were made: layers are often in different traces.

    The deepest of them is billed: it is nearest to the provider, and says most of the usage. Spans that are not
    billable anyway are left alone.
    """
    billable = [position for position in positions if calls[position].reading.billable]
    groups = _alike(billable, lambda position: _response(calls[position]))
    depths = _depths(calls) if groups else {}

    def preference(position: int) -> tuple[bool, int, int]:
        call = calls[position]
        return not call.reading.usage.known, -depths[_identity(call)], position

    return [sorted(group, key=preference) for group in groups]


RULES: tuple[Rule, ...] = (same_span, same_response)


def _last(found: dict[int, int], position: int) -> int:
    """Follow the duplicates of duplicates to what is billed."""
    while position in found:
        position = found[position]
    return position


def _tenant(call: Call) -> tuple[str, str]:
    return call.org, call.project


def _identity(call: Call) -> tuple[bytes, bytes]:
    return call.trace_id, call.span_id


def _response(call: Call) -> Hashable:
    response_id = call.reading.response_id
    return (*_tenant(call), response_id) if response_id else None


def _alike(positions: Iterable[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Group positions by a key; None groups with nothing."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for position in positions:
        groups[key(position)].append(position)
    return [group for name, group in groups.items() if name is not None and len(group) > 1]


def _depths(calls: Sequence[Call]) -> dict[tuple[bytes, bytes], int]:
    """Count how many of the calls are above each one in its trace."""
    parents = {_identity(call): (call.trace_id, call.parent_id) for call in calls}
    depths: dict[tuple[bytes, bytes], int] = {}
    for start in tuple(parents):
        span = start
        path: list[tuple[bytes, bytes]] = []
        while span in parents and span not in depths:
            depths[span] = 0  # until we come back, or for good if a forged trace runs in a circle
            path.append(span)
            span = parents[span]
        depth = depths.get(span, -1)
        for each in reversed(path):
            depth += 1
            depths[each] = depth
    return depths
