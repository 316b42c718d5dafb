"""Rules that go by ids."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from llmlab_exporter.call import Call
from llmlab_exporter.dedupe.rule import Group, by_preference, depths_of, identity_of, response_of, tenant_of


def same_span(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans that were delivered more than once, as every sender does after an answer was lost."""
    return _alike(positions, lambda position: (*tenant_of(calls[position]), *identity_of(calls[position])))


def same_response(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans that tell of the same response, wherever they were made: layers are often in different traces.

    Spans that are not billable anyway are left alone.
    """
    billable = [position for position in positions if calls[position].reading.billable]
    groups = _alike(billable, lambda position: _response(calls[position]))
    depths = depths_of(calls) if groups else {}
    return [by_preference(calls, group, depths) for group in groups]


def _response(call: Call) -> Hashable:
    response_id = response_of(call)
    return (*tenant_of(call), response_id) if response_id else None


def _alike(positions: Iterable[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Group positions by a key; None groups with nothing."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for position in positions:
        groups[key(position)].append(position)
    return [group for name, group in groups.items() if name is not None and len(group) > 1]
