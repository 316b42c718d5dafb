"""Ledgers with a window, without processes: requests go in, and what the store would show comes out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import assess
from llmlab_exporter.batch import batch
from llmlab_exporter.call import Call
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.parcels import unpack
from llmlab_exporter.ledger.recent import DEFAULT_LIMITS, Limits
from llmlab_exporter.ledger.summary import Summary
from llmlab_exporter.ledger.writer import Committed, Writer
from llmlab_exporter.window import Window

PRICER = Pricer()


class Outcome(NamedTuple):
    """What there is of calls afterwards."""

    store: dict[tuple[Any, ...], dict[str, Any]]
    """The latest version of every call, without what counts the versions."""
    spend: dict[Any, Any]
    counters: dict[str, dict[str, Any]]
    """What Prometheus would read less what is held back, without empty series."""
    duplicates: int


class Ledger:
    """An exporter's ledger that may be restarted. What leaves for the store is kept in a list."""

    def __init__(self, folder: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        folder.mkdir(exist_ok=True)
        self._path = folder / "ledger.sqlite"
        self._limits = limits
        self.payloads: list[bytes] = []
        self.open()

    def open(self) -> None:
        self.book = Book(self._path, self._limits)
        self.window = Window(PRICER, self._limits)
        self.window.recall(self.book.recent.payloads())
        self.writer = Writer(self.book, self.window)
        self.writer.start()

    def restart(self) -> None:
        self.writer.stop()
        self.open()

    def send(self, *requests: Sequence[Call]) -> list[Committed]:
        """Commit requests; they may share a transaction."""
        batches = [batch(assess(calls, PRICER)) for calls in requests]
        return [done.result(10) for done in [self.writer.commit(each) for each in batches]]

    def deliver(self) -> None:
        """Move what waits to the store."""
        while parcel := self.writer.run(lambda book: book.outbox.cut(3)):
            self.payloads += parcel.payloads
            self.writer.run(lambda book, done=parcel.batch_id: book.outbox.finish(done))

    def outcome(self) -> Outcome:
        self.deliver()
        totals = self.book.totals
        counters: dict[str, dict[str, Any]] = {}
        for series, tally in totals.by_series.items():
            if series in totals.held_back:
                held = totals.held_back[series]
                left = asdict(tally)
                owed = asdict(held)
                left = {
                    name: [mine - his for mine, his in zip(left[name], owed[name], strict=True)]
                    if name == "latency"
                    else left[name] - owed[name]
                    for name in left
                    if name not in {"sampled", "features"}
                }
            else:
                left = {name: value for name, value in asdict(tally).items() if name not in {"sampled", "features"}}
            if left["requests"]:
                counters[str(series)] = left
        spend = {model: asdict(one) for model, one in Summary(self._path).all_time().items()}
        store = current(self.payloads)
        by_rule = Counter(row["duplicate_reason"] for row in store.values() if row["duplicate_of"])
        assert by_rule == self.book.duplicates.by_rule
        return Outcome(store, spend, counters, by_rule.total())


def current(payloads: Iterable[bytes]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the latest version of each stored call, but those that moved to another project."""
    latest: dict[tuple[Any, ...], tuple[int, dict[str, Any]]] = {}
    for payload in payloads:
        for row in unpack([payload]).to_pylist():
            version = row.pop("version", 1)
            row.pop("change_id", None)
            row.pop("reason", None)
            key = tuple(row[name] for name in ("org", "project", "started_at", "trace_id", "span_id"))
            if key not in latest or latest[key][0] < version:
                latest[key] = version, row
            else:
                assert latest[key][0] != version, "two rows of one version"
    return {key: row for key, (_, row) in latest.items() if row["duplicate_reason"] != "moved"}


def spent(outcome: Outcome) -> int:
    """Return the sum of what is stored, in yocto-USD."""
    costs = [row["cost_usd"] for row in outcome.store.values() if row["cost_usd"] is not None]
    return int(sum(costs) * 10**24)
