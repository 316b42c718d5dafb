"""One call, several spans: which of them is billed.

A call is recorded twice when a span is delivered twice, when two instrumentations watch one SDK, when a framework
records what its SDK records too, or when a proxy records what its client does. A rule finds spans that are the same
call; the rules are tried in order, and each sees only what the earlier ones left.

Rules are pure functions of a set of calls, whichever request these came with. They look at the tenant, the service,
the ids of trace, span and parent, the times, the scope, and of the reading at `billable`, `response_id`, `layer`, the
models, `error` and the usage. What a window over stored calls has to keep is that.
"""

from collections.abc import Sequence

from llmlab_exporter.call import Call
from llmlab_exporter.dedupe.identity import same_response, same_span
from llmlab_exporter.dedupe.likeness import same_interval, same_stream, same_work_below, sum_of_parts
from llmlab_exporter.dedupe.merging import merged
from llmlab_exporter.dedupe.rule import Rule

__all__ = ["RULES", "duplicates", "merged"]

RULES: tuple[Rule, ...] = (same_span, same_response, same_work_below, same_interval, same_stream, sum_of_parts)


def duplicates(calls: Sequence[Call]) -> dict[int, int]:
    """Find the calls that repeat another one: the position of each, and that of the one that is billed."""
    found: dict[int, int] = {}
    left = list(range(len(calls)))
    for rule in RULES:
        for billed, *others in rule(calls, left):
            found.update(dict.fromkeys(others, billed))
        if found:
            left = [position for position in left if position not in found]
    return {position: _last(found, position) for position in found}


def _last(found: dict[int, int], position: int) -> int:
    """Follow the duplicates of duplicates to what is billed."""
    while position in found:
        position = found[position]
    return position
