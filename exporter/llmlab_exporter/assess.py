"""Decides for each call of a request whether it is billed, and what it costs."""

from collections.abc import Sequence
from typing import NamedTuple

from llmlab.pricing import Priced
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.call import Call
from llmlab_exporter.dedupe import duplicates, merged
from llmlab_exporter.pricing import price


class Line(NamedTuple):
    """One call as it is stored and counted."""

    call: Call
    """Not billable when it repeats another one."""
    priced: Priced
    duplicate_of: bytes
    """The span that is billed instead, empty when this is no duplicate."""
    computed: Priced
    """What the catalogue makes of it: `priced` itself, except where the provider's own word is the cost."""


def assess(calls: Sequence[Call], pricer: Pricer) -> list[Line]:
    """Tell calls from their repetitions, and price those that are billed."""
    repeats = duplicates(calls)
    if repeats:
        calls = merged(calls, repeats)
    calls = [_in_its_project(call) if call.reading.project else call for call in calls]
    if not repeats:
        return [line(call, pricer) for call in calls]
    lines: list[Line] = []
    for position, call in enumerate(calls):
        if position in repeats:
            repeated = call._replace(reading=call.reading._replace(billable=False))
            lines.append(line(repeated, pricer, calls[repeats[position]].span_id))
        else:
            lines.append(line(call, pricer))
    return lines


def line(call: Call, pricer: Pricer, duplicate_of: bytes = b"") -> Line:
    """Price one call; where the provider said what it costs, beside that."""
    priced = price(call, pricer)
    if priced.source != "provider":
        return Line(call, priced, duplicate_of, priced)
    silent = call._replace(reading=call.reading._replace(provider_cost=None))
    return Line(call, priced, duplicate_of, price(silent, pricer))


def _in_its_project(call: Call) -> Call:
    return call._replace(project=call.reading.project)
