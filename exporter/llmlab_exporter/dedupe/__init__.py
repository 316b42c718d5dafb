"""One call, several spans: which of them is billed.

A call is recorded twice when a span is delivered twice, when two instrumentations watch one SDK, when a framework
records what its SDK records too, or when a proxy records what its client does. A rule finds spans that are the same
call; the rules are tried in order, and each sees only what the earlier ones left.

Rules are pure functions of a set of calls, whichever request these came with. They look at the tenant, the service,
the ids of trace, span and parent, the times, the scope, the dialect, and of the reading at `billable`, `response_id`,
`layer`, the models, `error` and the usage. What a window over stored calls has to keep is that.
"""

from collections.abc import Sequence
from typing import NamedTuple

from llmlab_exporter.call import Call
from llmlab_exporter.dedupe.identity import same_response, same_span
from llmlab_exporter.dedupe.likeness import same_interval, same_stream, same_work_below, whole_of_parts
from llmlab_exporter.dedupe.merging import merged
from llmlab_exporter.dedupe.rule import Rule

__all__ = ["RULES", "Repeat", "duplicates", "merged", "repeats"]

RULES: tuple[Rule, ...] = (same_span, same_response, same_work_below, same_interval, same_stream, whole_of_parts)


class Repeat(NamedTuple):
    """What is known of a call that repeats another one."""

    billed: int
    """The position of the call that is billed."""
    rule: str
    """The name of the rule that found it."""


def repeats(calls: Sequence[Call]) -> dict[int, Repeat]:
    """Find the calls that repeat another one, by the position of each."""
    found: dict[int, Repeat] = {}
    left = list(range(len(calls)))
    for rule in RULES:
        for billed, *others in rule(calls, left):
            found.update(dict.fromkeys(others, Repeat(billed, rule.__name__)))
        if found:
            left = [position for position in left if position not in found]
    return {position: Repeat(_last(found, position), repeat.rule) for position, repeat in found.items()}


def duplicates(calls: Sequence[Call]) -> dict[int, int]:
    """Return only the positions: of each call that repeats another one, and of the one that is billed."""
    return {position: repeat.billed for position, repeat in repeats(calls).items()}


def _last(found: dict[int, Repeat], position: int) -> int:
    """Follow the duplicates of duplicates to what is billed."""
    while position in found:
        position = found[position].billed
    return position
