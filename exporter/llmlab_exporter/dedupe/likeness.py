"""Rules for spans of one call that no id joins: they must come from different sources, and consume the same.

Two calls that are alike may well run at once, so a group takes at most one span of each source, and each span is in
one group only.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import permutations

from llmlab_exporter.call import STREAM_BEGAN, STREAM_ENDED, Call
from llmlab_exporter.dedupe.groups import Groups
from llmlab_exporter.dedupe.rule import Group, Identity, Source, depths_of, identity_of, source_of, tenant_of
from llmlab_exporter.reading.counts import agree

_MAX_LEVELS = 64
"""How far up a trace is looked."""

_RECORD_DELAY_NS = 10 * 10**9
"""Within which the record of a finished stream is made."""


def same_work_below(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans with the same usage above one another, and those that know no usage above one that does."""
    billable = _billable_of_many_sources(calls, positions)
    if not billable:
        return ()
    spans = {identity_of(call): position for position, call in enumerate(calls)}
    groups = Groups(calls)
    allowed = set(billable)
    depths = depths_of(calls)
    for position in sorted(billable, key=lambda each: -depths[identity_of(calls[each])]):
        inner = calls[position]
        for above in _ancestors(calls, position, spans):
            if above in allowed and (_is_alike(calls[above], inner) or _is_silent_about(calls[above], inner)):
                groups.join(above, position)
    return groups.found(depths)


def same_interval(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans of one service with the same usage of which one lasts while the other does, in whatever traces."""
    billable = _billable_of_many_sources(calls, positions)
    buckets: defaultdict[Hashable, list[int]] = defaultdict(list)
    for position in billable:
        call = calls[position]
        usage = call.reading.usage
        if usage.known:
            buckets[(*tenant_of(call), call.service, usage.input, usage.output or 0)].append(position)
    crowded = [bucket for bucket in buckets.values() if len(bucket) > 1]
    if not crowded:
        return ()
    groups = Groups(calls)
    for bucket in crowded:
        for outer, inner in permutations(_by_source(calls, bucket), 2):
            _join_contained(calls, groups, outer, inner)
        _join_records(calls, groups, bucket)
    return groups.found(depths_of(calls))


def same_stream(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find the two records that one instrumentation makes of a stream: when it begins, and when it has ended."""
    ended = [position for position in positions if calls[position].reading.layer == STREAM_ENDED]
    if not ended:
        return ()
    began = [position for position in positions if calls[position].reading.layer == STREAM_BEGAN]
    began.sort(key=lambda position: calls[position].start_ns)
    groups = Groups(calls)
    for position in sorted(ended, key=lambda each: calls[each].end_ns):
        for candidate in reversed(began):
            if _begins(calls[candidate], calls[position]) and groups.join(candidate, position):
                break
    return groups.found(depths_of(calls))


def sum_of_parts(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans without a response of their own that repeat the sum of two or more spans below them."""
    spans = {identity_of(calls[position]): position for position in positions}
    parts: defaultdict[int, list[int]] = defaultdict(list)
    for position in positions:
        call = calls[position]
        if call.parent_id and call.reading.billable and call.reading.usage.known:
            for above in _ancestors(calls, position, spans):
                parts[above].append(position)
    return [(below[0], above) for above, below in parts.items() if _is_sum(calls, above, below)]


def _is_sum(calls: Sequence[Call], above: int, below: Sequence[int]) -> bool:
    reading = calls[above].reading
    if len(below) < 2 or not reading.billable or reading.response_id or not reading.usage.known:
        return False
    usages = [calls[position].reading.usage for position in below]
    whole = reading.usage
    return (whole.input or 0, whole.output or 0) == (
        sum(usage.input or 0 for usage in usages),
        sum(usage.output or 0 for usage in usages),
    )


def _billable_of_many_sources(calls: Sequence[Call], positions: Sequence[int]) -> list[int]:
    """Return the billable ones; none if they are all from one source, for which these rules have nothing to say."""
    billable = [position for position in positions if calls[position].reading.billable]
    return billable if len({source_of(calls[position]) for position in billable}) > 1 else []


def _ancestors(calls: Sequence[Call], position: int, spans: dict[Identity, int]) -> Iterator[int]:
    call = calls[position]
    seen = {position}
    for _ in range(_MAX_LEVELS):
        above = spans.get((call.trace_id, call.parent_id))
        if above is None or above in seen:
            return
        yield above
        seen.add(above)
        call = calls[above]


def _is_alike(outer: Call, inner: Call) -> bool:
    used, below = outer.reading.usage, inner.reading.usage
    return used.known and below.known and agree(used, below) and tenant_of(outer) == tenant_of(inner)


def _is_silent_about(outer: Call, inner: Call) -> bool:
    """Whether the outer span knows neither usage nor response, but asked for the same model."""
    silent, told = outer.reading, inner.reading
    return (
        not silent.usage.known
        and not silent.response_id
        and told.usage.known
        and tenant_of(outer) == tenant_of(inner)
        and _same_model(outer, inner)
    )


def _same_model(one: Call, other: Call) -> bool:
    names = {one.reading.request_model, one.model} - {""}
    return not names.isdisjoint({other.reading.request_model, other.model})


def _by_source(calls: Sequence[Call], bucket: Sequence[int]) -> list[list[int]]:
    sources: defaultdict[Source, list[int]] = defaultdict(list)
    for position in bucket:
        sources[source_of(calls[position])].append(position)
    return list(sources.values())


def _join_contained(calls: Sequence[Call], groups: Groups, outer: Sequence[int], inner: Sequence[int]) -> None:
    """Pair each inner span with the shortest-lived outer one that contains it."""
    outer = sorted(outer, key=lambda position: calls[position].end_ns)
    for position in sorted(inner, key=lambda each: calls[each].start_ns):
        call = calls[position]
        for candidate in outer:
            around = calls[candidate]
            if around.start_ns <= call.start_ns and call.end_ns <= around.end_ns and groups.join(candidate, position):
                break


def _join_records(calls: Sequence[Call], groups: Groups, bucket: Sequence[int]) -> None:
    """Pair each record of a finished stream with the call that ended last before it was made."""
    records = [position for position in bucket if calls[position].reading.layer == STREAM_ENDED]
    for record in records:
        made_ns = calls[record].end_ns
        others = [each for each in bucket if abs(made_ns - calls[each].end_ns) <= _RECORD_DELAY_NS]
        for other in sorted(others, key=lambda each: abs(made_ns - calls[each].end_ns)):
            if groups.join(record, other):
                break


def _begins(began: Call, ended: Call) -> bool:
    return (
        began.scope == ended.scope
        and began.service == ended.service
        and tenant_of(began) == tenant_of(ended)
        and began.reading.request_model == ended.reading.request_model
        and began.start_ns <= ended.start_ns
    )
