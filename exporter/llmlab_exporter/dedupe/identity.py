"""Rules that go by ids."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import itemgetter

from llmlab_exporter.call import Call
from llmlab_exporter.dedupe.rule import Group, by_preference, depths_of, response_of, tenant_of


def same_span(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans that were delivered more than once, as every sender does after an answer was lost."""
    return _alike(positions, [_span(calls[position]) for position in positions])


def same_response(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans that tell of the same response, wherever they were made: layers are often in different traces.

    Spans that are not billable anyway are left alone.
    """
    billable = [position for position in positions if calls[position].reading.billable]
    groups = _alike(billable, [_response(calls[position]) for position in billable])
    depths = depths_of(calls) if groups else {}
    return [by_preference(calls, group, depths) for group in groups]


def _response(call: Call) -> Hashable:
    response_id = response_of(call)
    return (*tenant_of(call), response_id) if response_id else None


_span: Callable[[Call], Hashable] = itemgetter(*map(Call._fields.index, ("org", "project", "trace_id", "span_id")))


def _alike(positions: Sequence[int], keys: Sequence[Hashable]) -> list[list[int]]:
    """Group positions by their keys; None groups with nothing."""
    if len(set(keys)) == len(keys):  # as nearly always, and found out in a tenth of the time
        return []
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for position, key in zip(positions, keys, strict=True):
        groups[key].append(position)
    return [group for name, group in groups.items() if name is not None and len(group) > 1]
