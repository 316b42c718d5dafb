"""One trial: senders, an exporter that is killed, a store that goes away, and the sums afterwards."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import clickhouse_connect

from e2e.ports import free_port
from e2e.traces import metric
from exporter_process import ExporterProcess
from reliability.senders import Sender
from reliability.truth import MODELS, Made, Totals, calls, seen_by_a_framework, truth

SENDERS = 8
SERVER = Path(__file__).parent.parent / "store" / "clickhouse_server.py"

BUDGETS = {f"{period}-{model}": (period, model) for period in ("day", "month") for _, model in MODELS}
"""By name, the period and the model of each."""


class Plan(NamedTuple):
    """What a trial does."""

    spans: int
    batch: int
    kills: int
    """`kill -9` of the exporter, spread over the trial."""
    outages: int
    """Times at which the store is killed, to come back a while later."""
    seed: int = 1
    doubled: float = 0
    """Share of the calls of which a framework tells too, in some other request."""
    near: int = 0
    """How many calls of a sender lie between both records at most, and how far a request is out of order; 0 is any."""
    spread_s: int = 7_200
    """How old the calls are at most when the trial begins."""
    away: tuple[float, float] = (0.3, 0.6)
    """Of each outage's share of the trial, when the store goes and when it comes back."""
    rate: float = 0
    """Calls per second, 0 for as many as possible."""


@dataclass(slots=True)
class Report:
    """What happened, and what the three places say afterwards."""

    seconds: float
    kills: int
    outages: int
    sent_again: int
    """Calls that were sent again although they had been acknowledged."""
    unanswered: int
    """Requests whose answer never came, or that were refused for the moment."""
    peak_mib: float
    """The most memory that any of the exporter's processes took."""
    most_waiting: int
    """The most calls that were seen to wait for the store."""
    acknowledged_s: float
    """From the first call sent until all were acknowledged."""
    away_s: float
    """How long the store was away, all outages together."""
    caught_up_s: float
    """From the store's last return until all was stored."""
    true: dict[str, Totals]
    events: dict[str, Totals]
    """In the store."""
    rollup: dict[str, Totals]
    """What `/api/costs/summary` says."""
    metrics: dict[str, Totals]
    """What Prometheus would read. Costs there are floating point numbers, rounded here to the nano-dollar."""
    true_budgets: dict[str, Totals]
    """What the calls in the periods of the budgets cost, by budget; without tokens."""
    budgets: dict[str, Totals]
    """What `/api/budgets/status` says of these."""
    stored_twice: int
    """Rows in the store beyond one for each span."""


class Trial:
    """Runs a plan in a folder."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self._plan = plan
        self._data = folder / "data"
        self._server_data = folder / "server"
        self._budgets = folder / "budgets.yaml"
        self._budgets.write_text(json.dumps({"budgets": {name: _limit(*what) for name, what in BUDGETS.items()}}))
        self._server_port, self._grpc_port, self._http_port = free_port(), free_port(), free_port()
        self._server = self._start_server()
        self._exporter = self._start_exporter()
        self._peak_mib = 0.0
        self._most_waiting = 0
        self._back_at = time.perf_counter()
        self._acknowledged_s = 0.0
        self._away_s = 0.0
        self._gone_at = 0.0

    def run(self) -> Report:
        """Send everything through all faults, wait until it is stored, and read all sums."""
        plan = self._plan
        made = calls(plan.spans, time.time_ns(), plan.seed, plan.spread_s)
        doubled = seen_by_a_framework(made, plan.doubled, plan.seed)
        began = time.perf_counter()
        senders = self._start_senders(made + doubled)
        try:
            for share, fault in self._faults():
                self._wait(senders, lambda share=share: _acknowledged(senders) >= share * self._plan.spans)
                fault()
            self._wait(senders, lambda: not any(sender.is_alive() for sender in senders))
            self._acknowledged_s = time.perf_counter() - began
            self._exporter.wait_until_stored(900)
            self._note_memory()
            return self._report(senders, made, began)
        finally:
            for sender in senders:
                sender.failure = sender.failure or "the trial is over"
            if self._exporter.running:
                self._exporter.stop()
            self._server.kill()
            self._server.wait()

    def _faults(self) -> list[tuple[float, Callable[[], None]]]:
        """Return the faults, each at the share of calls that were acknowledged before it."""
        plan = self._plan
        kills = [((number + 1) / (plan.kills + 1), self._kill) for number in range(plan.kills)]
        outages: list[tuple[float, Callable[[], None]]] = []
        for number in range(plan.outages):
            begin, end = ((number + share) / plan.outages for share in plan.away)
            outages += [(begin, self._stop_server), (end, self._restart_server)]
        return sorted([*kills, *outages], key=lambda fault: fault[0])

    def _start_senders(self, records: list[Made]) -> list[Sender]:
        plan = self._plan
        senders = [
            Sender(
                [own[at : at + plan.batch] for at in range(0, len(own), plan.batch)],
                lambda: (self._grpc_port, self._http_port),
                number,
                plan.near // plan.batch,
                plan.rate / SENDERS,
            )
            for number, own in enumerate(_dealt(records, plan))
        ]
        for sender in senders:
            sender.start()
        return senders

    def _wait(self, senders: Sequence[Sender], until: Callable[[], bool]) -> None:
        while not until():
            failures = [sender.failure for sender in senders if sender.failure]
            assert not failures, failures
            assert self._exporter.running, self._exporter.log.read_text()
            self._note_memory()
            time.sleep(0.05)

    def _note_memory(self) -> None:
        self._peak_mib = max(self._peak_mib, self._exporter.memory_mib("VmHWM"))

    def _kill(self) -> None:
        self._note_memory()
        self._exporter.kill()
        self._exporter = self._start_exporter()

    def _start_exporter(self) -> ExporterProcess:
        ports = ("--grpc-port", str(self._grpc_port), "--http-port", str(self._http_port))
        return ExporterProcess(
            self._data, ("--clickhouse-url", self._store_url, "--budgets", str(self._budgets), *ports)
        )

    @property
    def _store_url(self) -> str:
        return f"http://127.0.0.1:{self._server_port}"

    def _start_server(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, str(SERVER), str(self._server_data), str(self._server_port)])

    def _stop_server(self) -> None:
        self._server.kill()
        self._server.wait()
        self._gone_at = time.perf_counter()

    def _restart_server(self) -> None:
        self._most_waiting = max(self._most_waiting, self._exporter.pending_rows())
        self._server = self._start_server()
        self._back_at = time.perf_counter()
        self._away_s += self._back_at - self._gone_at

    def _report(self, senders: Sequence[Sender], made: Sequence[Made], began: float) -> Report:
        seconds = time.perf_counter() - began
        events, stored_twice = self._events()
        true_budgets, budgets = self._budgets_of(made)
        return Report(
            seconds=round(seconds, 1),
            kills=self._plan.kills,
            outages=self._plan.outages,
            sent_again=sum(sender.sent_again for sender in senders),
            unanswered=sum(sender.unanswered for sender in senders),
            peak_mib=round(self._peak_mib, 1),
            most_waiting=self._most_waiting,
            acknowledged_s=round(self._acknowledged_s, 1),
            away_s=round(self._away_s, 1),
            caught_up_s=round(began + seconds - self._back_at, 1),
            true=truth(made),
            events=events,
            rollup=self._rollup(),
            metrics=self._metrics(),
            true_budgets=true_budgets,
            budgets=budgets,
            stored_twice=stored_twice,
        )

    def _events(self) -> tuple[dict[str, Totals], int]:
        with closing(clickhouse_connect.get_client(dsn=self._store_url, autogenerate_session_id=False)) as client:
            rows = client.query(
                "SELECT model, count(), countIf(cost_usd IS NULL), sum(input_tokens), sum(output_tokens), "
                "toString(sum(cost_usd)), count() - uniqExact(trace_id, span_id) "
                "FROM llmlab.current_calls WHERE billable GROUP BY model"
            ).result_rows
        totals = {str(model): Totals(*counts, cost_usd=Decimal(cost or 0)) for model, *counts, cost, _ in rows}
        return totals, sum(int(row[-1]) for row in rows)

    def _rollup(self) -> dict[str, Totals]:
        summary = json.loads(self._exporter.get("/api/costs/summary"), parse_float=Decimal)
        return {
            model["model"]: Totals(
                model["requests"],
                model["unpriced_requests"],
                model["input_tokens"],
                model["output_tokens"],
                Decimal(model["spend"] or 0),
            )
            for model in summary["models"]
        }

    def _budgets_of(self, made: Sequence[Made]) -> tuple[dict[str, Totals], dict[str, Totals]]:
        """Return what the budgets must say, and what they say."""
        true: dict[str, Totals] = {}
        said: dict[str, Totals] = {}
        for budget in json.loads(self._exporter.get("/api/budgets/status"), parse_float=Decimal)["budgets"]:
            name, begin_ns = budget["name"], _ns(budget["period_start"])
            model = BUDGETS[name][1]
            counted = [
                call for call in made if call.model == model and begin_ns <= call.end_ns < _ns(budget["period_end"])
            ]
            totals = truth(counted).get(model, Totals())
            true[name] = Totals(totals.calls, totals.unpriced, cost_usd=totals.cost_usd)
            said[name] = Totals(budget["requests"], budget["unpriced_requests"], cost_usd=Decimal(budget["spent"]))
        return true, said

    def _metrics(self) -> dict[str, Totals]:
        page = self._exporter.get("/metrics")

        def read(name: str, model: str, **labels: str) -> int:
            return int(metric(page, name, model=model, **labels))

        return {
            model: Totals(
                read("llm_requests_total", model),
                read("llm_unpriced_requests_total", model),
                read("llm_tokens_total", model, token_type="input"),
                read("llm_tokens_total", model, token_type="output"),
                to_nano_usd(Decimal(metric(page, "llm_cost_usd_total", model=model))),
            )
            for _, model in MODELS
        }


def _limit(period: str, model: str) -> dict[str, object]:
    """Return a budget as it is written in `budgets.yaml`."""
    return {"limit": 1_000_000, "period": period, "scope": {"model": model}}


def _ns(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp()) * 10**9


def _dealt(records: list[Made], plan: Plan) -> list[list[Made]]:
    """Deal records to the senders, in the order in which they are sent.

    Where both records of a call have to be near, one sender has both, as a program with two instrumentations has.
    """
    dice = random.Random(plan.seed)  # noqa: S311 - the same order in every run
    if not plan.near:
        dice.shuffle(records)
        return [records[number::SENDERS] for number in range(SENDERS)]
    dealt: list[list[Made]] = [[] for _ in range(SENDERS)]
    for record in sorted(records, key=lambda each: each.number + dice.uniform(0, plan.near * SENDERS)):
        dealt[record.number // 2 % SENDERS].append(record)
    return dealt


def to_nano_usd(cost_usd: Decimal) -> Decimal:
    """Round to the nano-dollar."""
    return cost_usd.quantize(Decimal("1e-9"))


def _acknowledged(senders: Sequence[Sender]) -> int:
    return sum(sender.acknowledged for sender in senders)
