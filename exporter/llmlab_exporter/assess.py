"""Decides for each call of a request whether it is billed, and what it costs."""

from collections.abc import Sequence
from typing import NamedTuple

from llmlab.pricing import Priced
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.call import Call
from llmlab_exporter.dedupe import Repeat, merged, repeats
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
    rule: str = ""
    """Which rule found that it is a duplicate (`dedupe.RULES`), "" when it is none."""
    said: Call | None = None
    """What its own span said, None when that is `call`."""

    @property
    def own(self) -> Call:
        """What its own span said, without what others knew of the same call."""
        return self.said or self.call


def assess(calls: Sequence[Call], pricer: Pricer) -> list[Line]:
    """Tell calls from their repetitions, and price those that are billed.

    The order of the calls decides nothing: they may come in any, and in any number of requests.
    """
    if not repeats(calls):
        return [_line(call, call, pricer) for call in calls]
    order = sorted(range(len(calls)), key=lambda position: _rank(calls[position]))
    ranked = _joined([calls[position] for position in order], pricer)
    lines = dict(zip(order, ranked, strict=True))
    return [lines[position] for position in range(len(calls))]


def _joined(calls: Sequence[Call], pricer: Pricer) -> list[Line]:
    found = repeats(calls)
    complete = merged(calls, {position: repeat.billed for position, repeat in found.items()})
    return [
        _line(call, complete[position], pricer, found.get(position), complete) for position, call in enumerate(calls)
    ]


def _line(own: Call, call: Call, pricer: Pricer, repeat: Repeat | None = None, complete: Sequence[Call] = ()) -> Line:
    if call.reading.project:
        call = call._replace(project=call.reading.project)
    if repeat is not None:
        repeated = call._replace(reading=call.reading._replace(billable=False))
        return line(repeated, pricer, complete[repeat.billed].span_id)._replace(rule=repeat.rule, said=own)
    found = line(call, pricer)
    return found if call is own or call == own else found._replace(said=own)


def _rank(call: Call) -> tuple[int, int, bytes, bytes]:
    return call.start_ns, call.end_ns, call.trace_id, call.span_id


def line(call: Call, pricer: Pricer, duplicate_of: bytes = b"") -> Line:
    """Price one call; where the provider said what it costs, beside that."""
    priced = price(call, pricer)
    if priced.source != "provider":
        return Line(call, priced, duplicate_of, priced)
    silent = call._replace(reading=call.reading._replace(provider_cost=None))
    return Line(call, priced, duplicate_of, price(silent, pricer))
