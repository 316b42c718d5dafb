"""Recordings in which several layers tell of the same calls, taken apart: every span in a request of its own."""

import random
from pathlib import Path

import pytest

from fixtures.recordings import RECORDINGS, Recording
from llmlab_exporter.call import Call
from llmlab_exporter.decode import PROTOBUF, decode
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.normalise import normalise
from window.requests import Ledger

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


def test_there_are_such_recordings() -> None:
    assert len(LAYERED) > 5
