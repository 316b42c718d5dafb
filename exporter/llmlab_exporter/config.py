"""How an exporter is set up."""

from dataclasses import dataclass
from pathlib import Path

from llmlab_exporter.ledger.recent import MAX_AGE_S, MAX_CALLS
from llmlab_exporter.new_series import HOLD_S
from llmlab_exporter.receive.body import MAX_BODY_BYTES

MAX_PENDING_ROWS = 20_000_000
"""Rows that wait for the store, about 3 GB of ledger, before new spans are refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of one exporter. Port 0 picks a free port."""

    data: Path
    host: str = "127.0.0.1"
    grpc_port: int = 4317
    http_port: int = 4318
    sql_port: int | None = None
    """Of the SQL endpoint over the embedded engine; None for 8123, or a free port when that is taken."""
    clickhouse_url: str = ""
    """A ClickHouse server, or the replicas of a shard with commas between; "" for the embedded engine in `data`."""
    clickhouse_cluster: str = ""
    """The name of the cluster that it belongs to; "" for a single server."""
    prices: Path | None = None
    """The user's own prices and discounts, watched for changes."""
    budgets: Path | None = None
    """Budgets that are kept in a file, watched for changes."""
    redis_url: str = ""
    """Where several exporters share their budgets; "" when this one is alone."""
    ready_file: Path | None = None
    """Where to write the ports, as JSON, once spans are accepted."""
    max_body_bytes: int = MAX_BODY_BYTES
    max_pending_rows: int = MAX_PENDING_ROWS
    min_free_bytes: int | None = None
    """What must stay free on the disk of `data`; None for 256 MiB, or 2 % of a small disk."""
    retention_days: int = 0
    """After how many days the store forgets calls; 0 for never."""
    window_calls: int = MAX_CALLS
    """Calls that are remembered, since spans that come may tell of the same ones: about 2 KB of memory each."""
    window_s: int = MAX_AGE_S
    """For how long they are remembered."""
    hold_new_series_s: float = HOLD_S
    """For how long metrics show new series at 0."""
    drain_s: float = 20.0
    """How long a shutdown may take to store what is pending. The rest stays in the ledger."""


class StartupError(Exception):
    """The exporter cannot start: what is wrong, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint
