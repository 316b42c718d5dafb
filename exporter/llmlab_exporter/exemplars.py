"""One call for each counter that it moved, so that a graph leads to a trace.

Of each request the most expensive call is remembered: it is the one that somebody looks for who follows a peak.
"""

from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client.samples import Exemplar

from llmlab.money import usd
from llmlab_exporter.assess import Line
from llmlab_exporter.tally import Series, series_of

MAX_SERIES = 5_000
"""Label sets that have one; of more, the latest keep theirs."""


class Example(NamedTuple):
    """A call that stands for others of its series."""

    trace_id: str
    """In hexadecimal digits, like `span_id`."""
    span_id: str
    cost_usd: float
    """0 where nobody knows."""
    duration_s: float
    ended_s: float
    """Unix seconds."""

    def of_cost(self) -> Exemplar:
        """Return it as the exemplar of a counter of dollars."""
        return Exemplar(self._labels(), self.cost_usd, self.ended_s)

    def of_duration(self) -> Exemplar:
        """Return it as the exemplar of a bucket of a histogram of seconds."""
        return Exemplar(self._labels(), self.duration_s, self.ended_s)

    def _labels(self) -> dict[str, str]:
        return {"trace_id": self.trace_id, "span_id": self.span_id}


class Exemplars:
    """The latest example of each series. Any thread may read a copy of `by_series`."""

    def __init__(self) -> None:
        self.by_series: dict[Series, Example] = {}

    def note(self, lines: Sequence[Line]) -> None:
        """Take one of the calls that were committed together."""
        counted = [line for line in lines if not line.duplicate_of and line.call.reading.billable]
        if not counted:
            return
        call, priced, *_ = max(counted, key=_cost)
        series = series_of(call)
        self.by_series.pop(series, None)  # to the end: the first is the one that goes
        if len(self.by_series) >= MAX_SERIES:
            del self.by_series[next(iter(self.by_series))]
        self.by_series[series] = Example(
            call.trace_id.hex(),
            call.span_id.hex(),
            float(usd(priced.cost_yocto or 0)),
            (call.end_ns - call.start_ns) / 1e9,
            call.end_ns / 1e9,
        )


def _cost(line: Line) -> int:
    return line.priced.cost_yocto or 0
