"""Recordings taken apart: every span in a request of its own, in any order."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fixtures.recordings import RECORDINGS, Recording
from llmlab_exporter.assess import Line, assess
from llmlab_exporter.batch import batch
from llmlab_exporter.call import Call
from llmlab_exporter.decode import PROTOBUF, decode
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.normalise import normalise
from llmlab_exporter.window import Window
from window.requests import PRICER, Ledger

LAYERED = [recording for recording in RECORDINGS if recording.path.startswith(("double-", "nested-"))]


def calls(recording: Recording) -> list[Call]:
    return normalise(decode(recording.body, PROTOBUF, WANTED), latest_ns=2**63 - 1).calls


@pytest.mark.parametrize("recording", LAYERED, ids=str)
def test_spans_in_requests_of_their_own_amount_to_what_they_do_together(recording: Recording, tmp_path: Path) -> None:
    spans = list({(call.trace_id, call.span_id): call for call in calls(recording)}.values())
    together, apart = Ledger(tmp_path / "together"), Ledger(tmp_path / "apart")
    together.send(spans)
    random.Random(recording.path).shuffle(spans)  # noqa: S311 - the same order in every run
    for number, span in enumerate(spans):
        apart.send([span])
        if number == len(spans) // 2:
            apart.restart()
    assert apart.outcome() == together.outcome()
    together.writer.stop()
    apart.writer.stop()


ORDERS: dict[str, Callable[[Sequence[Call]], list[Call]]] = {
    "parents first": lambda spans: sorted(spans, key=lambda call: call.start_ns),
    "children first": lambda spans: sorted(spans, key=lambda call: call.end_ns),
    "mixed": lambda spans: random.Random(3).sample(spans, len(spans)),  # noqa: S311 - the same order in every run
}


def remembered(window: Window, requests: Sequence[Sequence[Call]]) -> list[Line]:
    """Take requests one after the other, and return what the window holds of their calls in the end."""
    last: dict[tuple[bytes, bytes], Line] = {}
    for request in requests:
        joined = window.join([batch(assess(request, PRICER))], [set()])
        window.keep(joined)
        last |= {(each.line.call.trace_id, each.line.call.span_id): each.line for each in joined.kept}
        last |= {(line.call.trace_id, line.call.span_id): line for _, line in joined.changes}
    return sorted(last.values(), key=lambda line: (line.call.trace_id, line.call.span_id))


@pytest.mark.parametrize("order", ORDERS)
def test_any_recording_may_come_span_by_span_in_any_order(order: str) -> None:
    for recording in RECORDINGS:
        spans = list({(call.trace_id, call.span_id): call for call in calls(recording)}.values())
        together = remembered(Window(PRICER), [spans])
        apart = remembered(Window(PRICER), [[span] for span in ORDERS[order](spans)])
        assert apart == together, recording.path


def test_there_are_such_recordings() -> None:
    assert len(LAYERED) > 5
