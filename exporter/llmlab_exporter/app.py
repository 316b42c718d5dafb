"""Puts the exporter together, runs it, and takes it down in order. The only module that knows all others."""

import asyncio
import json
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from llmlab_exporter import metrics
from llmlab_exporter.api import (
    budget_exporters,
    budgets,
    calls,
    costs,
    dead_letters,
    events,
    health,
    prune,
    recommendations,
)
from llmlab_exporter.api import reprice as reprice_api
from llmlab_exporter.budgets.collector import BudgetsCollector
from llmlab_exporter.budgets.shared.collector import SharingCollector
from llmlab_exporter.budgets.shared.others import Others
from llmlab_exporter.budgets.shared.sharing import Sharing, presence_of
from llmlab_exporter.budgets.tracker import Tracker
from llmlab_exporter.condition import Condition
from llmlab_exporter.config import Config
from llmlab_exporter.datadir import DataDir
from llmlab_exporter.disk import Disk
from llmlab_exporter.late import Late
from llmlab_exporter.ledger.recent import Limits
from llmlab_exporter.ledger.summary import Summary
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.listening import bind, bind_sql, port_of, port_taken, web_server
from llmlab_exporter.opening import open_board, open_budgets, open_ledger
from llmlab_exporter.pipeline import Pipeline
from llmlab_exporter.price_files import PriceFiles, catalogue_path
from llmlab_exporter.price_metrics import PricesCollector
from llmlab_exporter.receive import grpc as otlp_grpc
from llmlab_exporter.receive import http as otlp_http
from llmlab_exporter.receive.admission import Admission
from llmlab_exporter.receive.door import Door
from llmlab_exporter.reprice.job import Repricer
from llmlab_exporter.sql.access import write_engine_config
from llmlab_exporter.sql.http import SqlEndpoint
from llmlab_exporter.sql.queries import Queries
from llmlab_exporter.sql.users import Users, ensure_first_user, token_path, users_path
from llmlab_exporter.store.dead_letter_file import DeadLetterFile
from llmlab_exporter.store.flusher import Flusher
from llmlab_exporter.store.retention import set_retention
from llmlab_exporter.store.store import Store, open_embedded, open_server
from llmlab_exporter.telemetry import Telemetry
from llmlab_exporter.watcher import Watcher
from llmlab_exporter.window import Window


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a running exporter listens."""

    grpc: int
    http: int
    sql: int | None = None
    """None beside a ClickHouse server, which answers SQL itself."""


class Exporter:
    """An exporter on an open data directory."""

    def __init__(self, config: Config, data: DataDir) -> None:
        self._config = config
        self._prices = PriceFiles(config.prices, catalogue_path(data.path))
        remembered = Limits(config.window_calls, config.window_s)
        self._book = open_ledger(data.ledger, remembered)
        self._window = Window(self._prices.pricer, remembered)
        self._writer = Writer(self._book, self._window)
        self._budgets = open_budgets(config.budgets, self._book, self._writer)
        others = Others(data.other_exporters) if config.redis_url else None
        self._tracker = Tracker(self._budgets, data.ledger, self._book.totals.feed, self._writer, others=others)
        self._sharing = others and self._open_sharing(config.redis_url, others)
        self._budget_watcher = Watcher("llmlab-budgets", self._budgets.look, self._tracker.look)
        self._disk = Disk(data.path, config.min_free_bytes)
        self._flusher = Flusher(self._writer, self._connect(data), letters=DeadLetterFile(data.dead_letters))
        self._registry = CollectorRegistry()
        self._telemetry = Telemetry(self._registry)
        self._registry.register(PricesCollector(self._prices))
        self._registry.register(BudgetsCollector(self._budgets, self._tracker))
        if self._sharing:
            self._registry.register(SharingCollector(self._sharing))
        late = Late(self._flusher, self._writer, self._window, self._prices.pricer, config.window_s)
        self._registry.register(metrics.LateCollector(late))
        self._pipeline = Pipeline(self._prices.pricer, self._writer, self._telemetry, late)
        self._repricer = Repricer(self._writer, lambda: self._flusher.store, self._prices.pricer, self._window)
        self._condition = Condition(
            book=self._book,
            disk=self._disk,
            flusher=self._flusher,
            prices=self._prices,
            budgets=self._budgets,
            telemetry=self._telemetry,
            max_pending_rows=config.max_pending_rows,
            is_embedded=not config.clickhouse_url,
        )
        self._admission = Admission(obstacle=self._condition.obstacle)
        self._summary = Summary(data.ledger)
        self._sql = None if config.clickhouse_url else self._open_sql(data)
        metrics.register(
            self._registry,
            self._book,
            self._flusher,
            self._disk,
            self._window,
            self._pipeline.exemplars,
            hold_s=config.hold_new_series_s,
        )

    async def run(self, started: Callable[[Ports], None]) -> None:
        """Serve until SIGTERM or SIGINT, then drain: what was acknowledged is stored or stays in the ledger.

        Raises `StartupError` when a port is taken.
        """
        stop = _stop_signal()
        grpc_server, grpc_port = self._grpc_server()
        http_socket = bind(self._config.host, self._config.http_port)
        http_server = web_server(self._web_app())
        sql_socket = self._sql and bind_sql(self._config.host, self._config.sql_port)
        sql_server = self._sql and web_server(self._sql.app())
        await self._pipeline.warm_up()
        await asyncio.to_thread(self._window.recall, self._book.recent.payloads())
        self._writer.start()
        self._flusher.start()
        await asyncio.to_thread(self._repricer.resume)
        self._prices.start()
        self._budget_watcher.start()
        if self._sharing:
            self._sharing.start()
        await grpc_server.start()
        serving = [await http_server.start_on(http_socket)]
        if sql_server and sql_socket:
            serving.append(await sql_server.start_on(sql_socket))
        started(Ports(grpc_port, port_of(http_socket), sql_socket and port_of(sql_socket)))
        await stop.wait()
        self._admission.draining = True
        await grpc_server.stop(grace=5)
        for server in filter(None, (http_server, sql_server)):
            server.should_exit = True
        await asyncio.gather(*serving)
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._sql:
            self._sql.close()
        self._prices.stop()
        self._budget_watcher.stop()
        self._pipeline.close()
        self._repricer.stop()
        if self._sharing:
            self._sharing.stop()
        self._flusher.stop(self._config.drain_s)
        self._writer.stop()

    def _connect(self, data: DataDir) -> Callable[[], Store]:
        """Open the embedded engine now, since that fails for good, and a server when it is there."""
        url = self._config.clickhouse_url
        if not url:
            write_engine_config(data.engine_config)
        embedded = None if url else open_embedded(data.engine, data.engine_config)

        def connect() -> Store:
            store = embedded or open_server(url, self._config.clickhouse_cluster)
            store.migrate()  # retention is a property of the tables
            set_retention(store, self._config.retention_days)
            return store

        return connect

    def _open_sql(self, data: DataDir) -> SqlEndpoint:
        users = Users(users_path(data.path))
        ensure_first_user(users, token_path(data.path))
        return SqlEndpoint(users, Queries(data.engine, lambda: self._flusher.store))

    def _open_sharing(self, url: str, others: Others) -> Sharing:
        own = presence_of(self._book.ledger_id, socket.gethostname())
        return Sharing(open_board(url), own, self._budgets, self._tracker, others)

    def _grpc_server(self) -> tuple[grpc.aio.Server, int]:
        config = self._config
        door = Door("grpc", self._pipeline, self._admission, self._telemetry)
        address = f"{config.host}:{config.grpc_port}"
        try:
            return otlp_grpc.server(door, self._telemetry, address, config.max_body_bytes)
        except otlp_grpc.PortUnavailable as error:
            raise port_taken(config.host, config.grpc_port, "--grpc-port") from error

    def _web_app(self) -> Starlette:
        door = Door("http", self._pipeline, self._admission, self._telemetry)
        return Starlette(
            routes=[
                *otlp_http.routes(door, self._telemetry, self._config.max_body_bytes),
                *costs.routes(self._summary, self._condition.pipeline, self._prices.label, self._tracker.statuses),
                *budgets.routes(self._budgets, self._tracker),
                *budget_exporters.routes(self._sharing, self._tracker),
                *calls.routes(lambda: self._flusher.store),
                *reprice_api.routes(self._repricer),
                *dead_letters.routes(self._writer, self._flusher.send_again, self._flusher.discard),
                *prune.routes(lambda: self._flusher.store, self._writer),
                *events.routes(self._pipeline, self._not_ready),
                *recommendations.routes(tuple),  # no advice is computed yet
                *health.routes(self._registry, self._not_ready, self._condition.details),
            ]
        )

    def _not_ready(self) -> str:
        return "shutting down" if self._admission.draining else str(self._condition.obstacle() or "")


def serve(config: Config, started: Callable[[Ports], None]) -> None:
    """Run an exporter until it is told to stop. `started` learns the ports once spans are accepted.

    Raises `StartupError`.
    """

    def ready(ports: Ports) -> None:
        if config.ready_file is not None:
            _write_ports(config.ready_file, ports)
        started(ports)

    with DataDir(config.data) as data:
        asyncio.run(Exporter(config, data).run(ready))


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _write_ports(path: Path, ports: Ports) -> None:
    """Write the ports in one step, so that whoever waits for the file never reads half of it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps({"grpc_port": ports.grpc, "http_port": ports.http, "sql_port": ports.sql}))
    partial.replace(path)
