"""Rules for spans of one call that no id joins: they must come from different sources, and consume the same.

Two calls that are alike may well run at once, so a group takes at most one span of each source, and each span is in
one group only.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import permutations

from llmlab.usage import Usage
from llmlab_exporter.call import STREAM_BEGAN, STREAM_ENDED, Call
from llmlab_exporter.dedupe.groups import Groups
from llmlab_exporter.dedupe.models import same_model
from llmlab_exporter.dedupe.rule import Group, Identity, Source, depths_of, identity_of, source_of, tenant_of
from llmlab_exporter.reading.counts import agree

_MAX_LEVELS = 64
"""How far up a trace is looked."""

_RECORD_DELAY_NS = 10 * 10**9
"""Within which the record of a finished stream is made."""

_MAX_SLACK_NS = 50 * 10**6
"""By how much, but no more than a quarter of its time, a record of a call may begin before or end after one around it:
callbacks have clocks of their own, which count in milliseconds, and some streams are ended from within."""

_MAX_TRIED = 64
"""How many spans are looked at to find one: more do not run at once in one service with the same usage, and a sender
who forges more must not buy time that grows with their square."""
_MAX_SOURCES = 8
"""How many instrumentations are compared in one place."""


def same_work_below(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans with the same usage above one another."""
    billable = _billable_of_many_sources(calls, positions)
    if not billable:
        return ()
    spans = {identity_of(call): position for position, call in enumerate(calls)}
    groups = Groups(calls, nested=True)
    allowed = set(billable)
    depths = depths_of(calls)
    for position in sorted(billable, key=lambda each: -depths[identity_of(calls[each])]):
        inner = calls[position]
        for above in _ancestors(calls, position, spans):
            if above in allowed and _is_alike(calls[above], inner):
                groups.join(above, position)
    return groups.found(depths)


def same_interval(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans of one service of which one lasts while the other does, in whatever traces.

    They have the same usage; or one of them, or both, know no usage, and asked for the same model.
    """
    billable = _billable_of_many_sources(calls, positions)
    if not billable:
        return ()
    groups = Groups(calls)
    for bucket in _buckets(calls, billable, _work):
        for max_slack_ns in (0, _MAX_SLACK_NS):
            for outer, inner in permutations(_by_source(calls, bucket), 2):
                _join_contained(calls, groups, outer, inner, max_slack_ns=max_slack_ns)
        _join_records(calls, groups, bucket)
    for bucket in _buckets(calls, billable, _place):
        silent = [position for position in bucket if _is_silent(calls[position])]
        telling = [position for position in bucket if calls[position].reading.usage.known]
        _join_contained(calls, groups, telling, silent, same=same_model)
        _join_contained(calls, groups, silent, telling, same=same_model)
        for outer, inner in permutations(_by_source(calls, silent), 2):
            _join_contained(calls, groups, outer, inner, same=same_model)
    return groups.found(depths_of(calls))


def same_stream(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find the two records that one instrumentation makes of a stream: when it begins, and when it has ended."""
    billable = [position for position in positions if calls[position].reading.billable]
    ended = [position for position in billable if calls[position].reading.layer == STREAM_ENDED]
    if not ended:
        return ()
    began = [position for position in billable if calls[position].reading.layer == STREAM_BEGAN]
    began.sort(key=lambda position: calls[position].start_ns)
    starts = [calls[position].start_ns for position in began]
    groups = Groups(calls)
    for position in sorted(ended, key=lambda each: calls[each].end_ns):
        later = bisect_right(starts, calls[position].start_ns)
        for candidate in reversed(began[max(later - _MAX_TRIED, 0) : later]):
            if _begins(calls[candidate], calls[position]) and groups.join(candidate, position):
                break
    return groups.found(depths_of(calls))


def whole_of_parts(calls: Sequence[Call], positions: Sequence[int]) -> Iterable[Group]:
    """Find spans without a response of their own that only surround others, whoever made them.

    They repeat the sum of what is below them, or know no usage and asked for the same model. A single call below that
    knows less than the one above is the repetition itself.
    """
    if not _are_nested(calls, positions):
        return ()
    spans = {identity_of(calls[position]): position for position in positions}
    parts: defaultdict[int, list[int]] = defaultdict(list)
    for position in positions:
        call = calls[position]
        if call.parent_id and call.reading.billable:
            for above in _ancestors(calls, position, spans):
                parts[above].append(position)
    depths = depths_of(calls)
    found: dict[int, int] = {}
    for above in sorted(parts, key=lambda position: -depths[identity_of(calls[position])]):
        below = [position for position in parts[above] if position not in found]
        if pair := _repetition(calls, above, below):
            billed, repeated = pair
            found[repeated] = billed
    return [(billed, repeated) for repeated, billed in found.items()]


def _repetition(calls: Sequence[Call], above: int, below: Sequence[int]) -> tuple[int, int] | None:
    """Return of a call and those below it which one is billed and which one repeats it; None if all are calls."""
    whole = calls[above]
    if not whole.reading.billable or whole.reading.response_id:
        return None
    below = [position for position in below if tenant_of(calls[position]) == tenant_of(whole)]
    telling = [position for position in below if calls[position].reading.usage.known]
    alike = [position for position in (*telling, *below) if same_model(whole, calls[position])]
    if not whole.reading.usage.known:
        return (alike[0], above) if alike else None
    if telling and _is_sum(whole, [calls[position].reading.usage for position in telling]):
        return telling[0], above
    return (above, below[0]) if len(below) == 1 and alike and _is_silent(calls[below[0]]) else None


def _is_sum(whole: Call, parts: Sequence[Usage]) -> bool:
    usage = whole.reading.usage
    return (usage.input or 0, usage.output or 0) == (
        sum(part.input or 0 for part in parts),
        sum(part.output or 0 for part in parts),
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


def _is_silent(call: Call) -> bool:
    """Whether a call knows no usage. What one record knows of the response, another may know of the usage."""
    return not (call.reading.usage.known or call.reading.error)


def _are_nested(calls: Sequence[Call], positions: Sequence[int]) -> bool:
    spans = {calls[position].span_id for position in positions}
    return any(calls[position].parent_id in spans for position in positions)


def _work(call: Call) -> Hashable:
    usage = call.reading.usage
    return (*_place(call), usage.input, usage.output or 0) if usage.known else None


def _place(call: Call) -> tuple[str, str, str]:
    return (*tenant_of(call), call.service)


def _buckets(
    calls: Sequence[Call], positions: Sequence[int], key: Callable[[Call], Hashable]
) -> Iterator[Sequence[int]]:
    """Yield the positions that share a key, if there are several; None is shared with nothing."""
    buckets: defaultdict[Hashable, list[int]] = defaultdict(list)
    for position in positions:
        buckets[key(calls[position])].append(position)
    return (bucket for shared, bucket in buckets.items() if shared is not None and len(bucket) > 1)


def _by_source(calls: Sequence[Call], bucket: Sequence[int]) -> list[list[int]]:
    sources: defaultdict[Source, list[int]] = defaultdict(list)
    for position in bucket:
        sources[source_of(calls[position])].append(position)
    return list(sources.values())[:_MAX_SOURCES]


def _join_contained(
    calls: Sequence[Call],
    groups: Groups,
    outer: Sequence[int],
    inner: Sequence[int],
    same: Callable[[Call, Call], bool] = lambda _one, _other: True,
    max_slack_ns: int = 0,
) -> None:
    """Pair each inner span with that outer one around it that ends first, give or take some slack."""
    outer = sorted(outer, key=lambda position: calls[position].end_ns)
    ends = [calls[position].end_ns for position in outer]
    for position in sorted(inner, key=lambda each: calls[each].start_ns):
        call = calls[position]
        slack_ns = min(max_slack_ns, (call.end_ns - call.start_ns) // 4)
        first = bisect_left(ends, call.end_ns - slack_ns)
        for candidate in outer[first : first + _MAX_TRIED]:
            around = calls[candidate]
            if around.start_ns - slack_ns <= call.start_ns and same(around, call) and groups.join(candidate, position):
                break


def _join_records(calls: Sequence[Call], groups: Groups, bucket: Sequence[int]) -> None:
    """Pair each record of a finished stream with the call that ended nearest to when it was made."""
    records = [position for position in bucket if calls[position].reading.layer == STREAM_ENDED]
    others = sorted(set(bucket) - set(records), key=lambda position: calls[position].end_ns)
    ends = [calls[position].end_ns for position in others]
    for record in records:
        made_ns = calls[record].end_ns
        middle = bisect_left(ends, made_ns)
        near = others[max(middle - _MAX_TRIED, 0) : middle + _MAX_TRIED]
        for other in sorted(near, key=lambda each: abs(made_ns - calls[each].end_ns)):
            if abs(made_ns - calls[other].end_ns) <= _RECORD_DELAY_NS and groups.join(record, other):
                break


def _begins(began: Call, ended: Call) -> bool:
    return (
        began.scope == ended.scope
        and began.service == ended.service
        and tenant_of(began) == tenant_of(ended)
        and began.reading.request_model == ended.reading.request_model
        and began.start_ns <= ended.start_ns
    )
