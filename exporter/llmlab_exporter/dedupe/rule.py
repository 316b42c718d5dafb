"""What rules of sameness have in common."""

import re
from collections.abc import Callable, Iterable, Sequence

from llmlab_exporter.call import Call, Reading

Group = Sequence[int]
"""Positions of calls that are one call, the one that is billed first."""

Rule = Callable[[Sequence[Call], Sequence[int]], Iterable[Group]]
"""Finds groups among the calls at the given positions."""

_SHORT = 20
_NUMBER = re.compile(r"(?:[A-Za-z]+[-_])?\d{1,9}")

_PLACEHOLDER = "__fake_id__"
"""What the OpenAI Agents SDK calls all answers of Chat Completions (`FAKE_RESPONSES_ID`)."""

OWN_DIALECT = "llmlab"
"""The dialect of LLMLab's own instrumentation."""

Identity = tuple[bytes, bytes]
Source = tuple[str, str, str]


def tenant_of(call: Call) -> tuple[str, str]:
    """Whose call it is: nothing is compared across tenants."""
    return call.org, call.project


def identity_of(call: Call) -> Identity:
    """Which span it is."""
    return call.trace_id, call.span_id


def source_of(call: Call) -> Source:
    """Who made the span. Two spans from one source are two calls, unless they tell of one response.

    Some pipelines drop the scope; instrumentations that write in different ways are told apart without it.
    """
    return call.scope, call.dialect, call.reading.layer


def response_of(call: Call) -> str:
    """Return the id of the response that a call tells of, "" when it is none to tell responses apart by.

    Some servers number their responses, or take one of a thousand numbers at random: Ollama's are `chatcmpl-0` to
    `chatcmpl-998` (`rand.Intn(999)` in ollama/ollama), and two calls soon have the same.
    """
    response_id = call.reading.response_id
    if response_id == _PLACEHOLDER:
        return ""
    return "" if len(response_id) < _SHORT and _NUMBER.fullmatch(response_id) else response_id


def by_preference(calls: Sequence[Call], group: Iterable[int], depths: dict[Identity, int]) -> Group:
    """Sort the records of one call, the best first: what is known, measured and detailed, then what is deepest.

    The deepest is nearest to the provider. Among measured ones ours goes first, whose counts are the provider's own:
    others add up the events of a stream and come out a few tokens too high without saying so.
    """

    def preference(position: int) -> tuple[bool, bool, bool, bool, int, bool, int, int]:
        call = calls[position]
        reading = call.reading
        return (
            not reading.usage.known,
            reading.usage_spoiled,
            reading.usage_source != "reported",
            call.dialect != OWN_DIALECT,
            -_detail(reading),
            not reading.response_id,
            -depths.get(identity_of(call), 0),
            position,
        )

    return sorted(group, key=preference)


def depths_of(calls: Sequence[Call]) -> dict[Identity, int]:
    """Count how many of the calls are above each one in its trace."""
    parents = {identity_of(call): (call.trace_id, call.parent_id) for call in calls}
    depths: dict[Identity, int] = {}
    for start in tuple(parents):
        span = start
        path: list[Identity] = []
        while span in parents and span not in depths:
            depths[span] = 0  # until we come back, or for good if a forged trace runs in a circle
            path.append(span)
            span = parents[span]
        depth = depths.get(span, -1)
        for each in reversed(path):
            depth += 1
            depths[each] = depth
    return depths


def _detail(reading: Reading) -> int:
    return sum(map(bool, reading.usage))
