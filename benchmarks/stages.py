"""Where the exporter's time goes: each stage of the pipeline by itself, over the same requests, on one thread.

What `ingest.py` measures is more than the sum: there, the stages quarrel over the interpreter lock and the cores with
each other, with gRPC and with the load generator.

    python benchmarks/stages.py --spans 50000
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, NamedTuple, TypeVar

from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import assess
from llmlab_exporter.batch import batch
from llmlab_exporter.decode import decode
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.garbage import look_less_often
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.outbox import Parcel
from llmlab_exporter.ledger.parcels import unpack
from llmlab_exporter.normalise import normalise
from llmlab_exporter.store.flusher import PARCEL_ROWS
from llmlab_exporter.store.store import Store, open_embedded
from llmlab_exporter.window import Window
from page import table, write_between
from spans import SPANS_PER_REQUEST, requests

RESULTS = Path(__file__).parent / "results" / "stages.json"
ROUNDS = 5
GROUP = 16
"""Requests in one transaction of the ledger: about what arrives together at full load."""

Result = TypeVar("Result")


class Time(NamedTuple):
    """What a stage took, in seconds."""

    wall: float
    cpu: float
    """Of all threads of this process: the ledger and the store work outside the interpreter lock."""


class Clock:
    """Measures stages."""

    def __init__(self) -> None:
        self.times: dict[str, Time] = {}

    def time(self, stage: str, work: Callable[[], Result]) -> Result:
        """Do a piece of work that belongs to a stage."""
        wall, cpu = perf_counter(), process_time()
        result = work()
        before = self.times.get(stage, Time(0, 0))
        self.times[stage] = Time(before.wall + perf_counter() - wall, before.cpu + process_time() - cpu)
        return result


def run(bodies: list[bytes], pricer: Pricer, book: Book, store: Store) -> dict[str, Time]:
    """Send requests through all stages once."""
    clock = Clock()
    decoded = clock.time("decode", lambda: [decode(body, "application/x-protobuf", WANTED) for body in bodies])
    intakes = clock.time("normalise", lambda: [normalise(request) for request in decoded])
    lines = clock.time("dedupe, price", lambda: [assess(intake.calls, pricer) for intake in intakes])
    batches = clock.time("sums, keys, rows", lambda: [batch(some) for some in lines])
    window = Window(pricer)
    clock.time("earlier calls", lambda: [window.keep(window.join([one], [set()])) for one in batches])
    entries = [one.entry for one in batches]
    groups = [entries[at : at + GROUP] for at in range(0, len(entries), GROUP)]
    committed = clock.time("ledger", lambda: [book.commit(group) for group in groups])
    assert all(committed), "spans repeat"
    while parcel := clock.time("outbox", partial(book.outbox.cut, PARCEL_ROWS)):
        clock.time("store", partial(_insert, store, parcel))
        clock.time("outbox", partial(book.outbox.finish, parcel.batch_id))
    return clock.times


def _insert(store: Store, parcel: Parcel) -> None:
    store.insert(unpack(parcel.payloads), parcel.batch_id)


def measure(spans: int) -> dict[str, Any]:
    """Return the median over the rounds, in microseconds per span."""
    with tempfile.TemporaryDirectory() as folder:
        book, store, pricer = Book(Path(folder) / "ledger.db"), open_embedded(Path(folder) / "clickhouse"), Pricer()
        store.migrate()
        rounds = [run([body for _, body in requests(spans)], pricer, book, store) for _ in range(ROUNDS + 1)]
        del rounds[0]  # the first one loads the prices and much else
        store.close()
        book.close()

    def per_span(seconds: list[float]) -> float:
        return round(median(seconds) / spans * 1e6, 2)

    return {
        stage: {
            "wall_us": per_span([times[stage].wall for times in rounds]),
            "cpu_us": per_span([times[stage].cpu for times in rounds]),
        }
        for stage in rounds[0]
    }


def render(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    machine = figures["machine"]
    rows = [("stage", "us per span", "CPU us per span")]
    rows += [(stage, f"{took['wall_us']:.1f}", f"{took['cpu_us']:.1f}") for stage, took in figures["stages"].items()]
    return f"{machine['cpus']} CPUs, Python {machine['python']}, medians over {ROUNDS} rounds.\n\n{table(rows)}"


def main() -> None:
    """Run the benchmark and write its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=50 * SPANS_PER_REQUEST)
    spans = parser.parse_args().spans
    look_less_often()
    figures = {
        "spans": spans,
        "stages": measure(spans),
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version()},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    write_between("stages", render(figures))
    print(render(figures))


if __name__ == "__main__":
    main()
