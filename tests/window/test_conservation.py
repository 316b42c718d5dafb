import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.call import Call, Reading
from window.requests import Ledger, Outcome, spent

SECOND_NS = 1_000_000_000
START_NS = 1_795_000_000 * SECOND_NS


@st.composite
def families(draw: st.DrawFn) -> list[Call]:
    """Draw calls as several layers record them: trees whose spans may tell of the same response or the same work."""
    count = draw(st.integers(2, 9))
    calls: list[Call] = []
    for number in range(1, count + 1):
        parent = draw(st.integers(0, number - 1))
        start = draw(st.integers(0, 6))
        usage = draw(st.sampled_from([Usage(10, 5), Usage(10, 5, cache_read=4), Usage(20, 10), NO_USAGE]))
        reading = Reading(
            operation="chat",
            billable=draw(st.sampled_from([True, True, True, False])),
            provider="openai",
            request_model=draw(st.sampled_from(["gpt-5-mini", "gpt-5-mini-2025-08-07", "gpt-4o"])),
            response_id=draw(st.sampled_from(["", "", "r1", "r2"])),
            usage=usage,
            usage_source="reported" if usage.known else None,
            error=draw(st.sampled_from(["", "", "", "timeout"])),
            project=draw(st.sampled_from(["", "", "", "search"])),
            user=draw(st.sampled_from(["", "u1"])),
            run=draw(st.sampled_from(["", "r7"])),
            layer=draw(st.sampled_from(["", "", "", "stream began", "stream ended"])),
        )
        trace = calls[parent - 1].trace_id if parent else draw(st.integers(1, 3)).to_bytes(16, "big")
        start_ns = START_NS + start * SECOND_NS
        calls.append(
            Call(
                trace,
                number.to_bytes(8, "big"),
                parent.to_bytes(8, "big") if parent else b"",
                start_ns,
                start_ns + draw(st.integers(1, 6)) * SECOND_NS,
                "genai",
                "default",
                "default",
                draw(st.sampled_from(["app", "app", "proxy"])),
                "",
                "openai",
                reading.request_model,
                reading,
                draw(st.sampled_from(["sdk", "framework", "other"])),
            )
        )
    return calls


def run(requests: Sequence[Sequence[Call]], restarts: Sequence[bool], deliveries: Sequence[bool]) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        for calls, is_restarted, is_delivered in zip(requests, restarts, deliveries, strict=True):
            ledger.send(calls)
            if is_delivered:
                ledger.deliver()
            if is_restarted:
                ledger.restart()
            now = ledger.outcome() if is_delivered else None
            assert now is None or spent(now) == sum(one["cost"] for one in now.spend.values())
        outcome = ledger.outcome()
        ledger.writer.stop()
        return outcome


def split(calls: Sequence[Call], cuts: Sequence[bool]) -> list[list[Call]]:
    requests: list[list[Call]] = [[]]
    for call, is_cut in zip(calls, cuts, strict=True):
        requests[-1].append(call)
        if is_cut:
            requests.append([])
    return [request for request in requests if request]


@settings(max_examples=40)
@given(families(), st.randoms(use_true_random=False), st.data())
def test_no_split_order_or_restart_changes_what_is_billed(
    calls: list[Call], dice: random.Random, data: st.DataObject
) -> None:
    together = run([calls], [False], [True])
    shuffled = list(calls)
    dice.shuffle(shuffled)
    requests = split(shuffled, data.draw(st.lists(st.booleans(), min_size=len(calls), max_size=len(calls))))
    flags = st.lists(st.booleans(), min_size=len(requests), max_size=len(requests))
    apart = run(requests, data.draw(flags), data.draw(flags))
    assert apart.store == together.store
    assert apart.spend == together.spend
    assert apart.counters == together.counters
    assert spent(apart) == sum(one["cost"] for one in apart.spend.values())
