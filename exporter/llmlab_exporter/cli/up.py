"""`llmlab up`: run the exporter."""

import ipaddress
import logging
import sys
from pathlib import Path

import click
from platformdirs import user_data_path

import llmlab_exporter.arrow  # noqa: F401  # pyright: ignore[reportUnusedImport] - before all that imports Arrow
from llmlab._version import __version__
from llmlab_exporter.app import Ports, serve
from llmlab_exporter.config import Config, StartupError
from llmlab_exporter.garbage import look_less_often
from llmlab_exporter.ledger.recent import MAX_CALLS
from llmlab_exporter.new_series import HOLD_S
from llmlab_exporter.sql.users import FIRST_USER, token_path

_PORT = click.IntRange(0, 65535)
_MIB = 1024 * 1024


@click.command()
@click.option("--data", type=click.Path(path_type=Path), envvar="LLMLAB_DATA", help="Directory for the data.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option(
    "--trust-network",
    is_flag=True,
    envvar="LLMLAB_TRUST_NETWORK",
    help="Let --host be any address: everybody who reaches it may read and write. For a network of containers.",
)
@click.option("--grpc-port", type=_PORT, default=4317, show_default=True, help="OTLP/gRPC; 0 picks a free port.")
@click.option("--http-port", type=_PORT, default=4318, show_default=True, help="OTLP/HTTP, API and metrics; 0: free.")
@click.option("--sql-port", type=_PORT, help="SQL for Grafana; 0: free.  [default: 8123, or a free one]")
@click.option(
    "--clickhouse-url", default="", envvar="LLMLAB_CLICKHOUSE_URL", help="Server instead of the embedded one."
)
@click.option(
    "--clickhouse-url-file",
    type=click.Path(path_type=Path),
    envvar="LLMLAB_CLICKHOUSE_URL_FILE",
    help="A file that holds it, since it may hold a password.",
)
@click.option(
    "--clickhouse-cluster",
    default="",
    envvar="LLMLAB_CLICKHOUSE_CLUSTER",
    help="The cluster whose shard the URL names, replica by replica with commas between.",
)
@click.option(
    "--prices", type=click.Path(path_type=Path), envvar="LLMLAB_PRICES", help="Your own prices and discounts (YAML)."
)
@click.option(
    "--budgets", type=click.Path(path_type=Path), envvar="LLMLAB_BUDGETS", help="Budgets kept in a file (YAML)."
)
@click.option(
    "--redis-url", default="", envvar="LLMLAB_REDIS_URL", help="Redis in which several exporters share their budgets."
)
@click.option(
    "--redis-url-file",
    type=click.Path(path_type=Path),
    envvar="LLMLAB_REDIS_URL_FILE",
    help="A file that holds it, since it may hold a password.",
)
@click.option("--max-body-mib", type=click.IntRange(1, 256), default=16, show_default=True, help="Largest request.")
@click.option(
    "--retention-days",
    type=click.IntRange(0, 36_500),
    default=0,
    envvar="LLMLAB_RETENTION_DAYS",
    show_default=True,
    help="Forget single calls after so many days; 0 keeps them.",
)
@click.option(
    "--min-free-mib",
    type=click.IntRange(0),
    envvar="LLMLAB_MIN_FREE_MIB",
    help="Refuse spans when less is free on the disk.  [default: 256, or 2 % of a small disk]",
)
@click.option(
    "--window-minutes",
    type=click.IntRange(1, 1440),
    default=15,
    envvar="LLMLAB_WINDOW_MINUTES",
    show_default=True,
    help="How late another span may tell of the same call.",
)
@click.option(
    "--window-calls",
    type=click.IntRange(0, 1_000_000),
    default=MAX_CALLS,
    envvar="LLMLAB_WINDOW_CALLS",
    show_default=True,
    help="Calls remembered for that, about 2 KB each.",
)
@click.option(
    "--hold-new-series",
    type=click.FloatRange(0, 3600),
    default=HOLD_S,
    envvar="LLMLAB_HOLD_NEW_SERIES",
    show_default=True,
    metavar="SECONDS",
    help="How long metrics show a new series at 0: two scrapes, or Prometheus misses its first calls.",
)
@click.option(
    "--ready-file", type=click.Path(path_type=Path), help="Write the ports to this file, as JSON, when ready."
)
def up(
    data: Path | None,
    host: str,
    trust_network: bool,
    grpc_port: int,
    http_port: int,
    sql_port: int | None,
    clickhouse_url: str,
    clickhouse_url_file: Path | None,
    clickhouse_cluster: str,
    prices: Path | None,
    budgets: Path | None,
    redis_url: str,
    redis_url_file: Path | None,
    max_body_mib: int,
    retention_days: int,
    min_free_mib: int | None,
    window_minutes: int,
    window_calls: int,
    hold_new_series: float,
    ready_file: Path | None,
) -> None:
    """Receive spans, price them and store them, until Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        config = Config(
            data=data or user_data_path("llmlab"),
            host=host,
            grpc_port=grpc_port,
            http_port=http_port,
            sql_port=sql_port,
            clickhouse_url=_secret(clickhouse_url, clickhouse_url_file, "--clickhouse-url"),
            clickhouse_cluster=clickhouse_cluster,
            prices=prices,
            budgets=budgets,
            redis_url=_secret(redis_url, redis_url_file, "--redis-url"),
            max_body_bytes=max_body_mib * _MIB,
            retention_days=retention_days,
            min_free_bytes=None if min_free_mib is None else min_free_mib * _MIB,
            window_s=window_minutes * 60,
            window_calls=window_calls,
            hold_new_series_s=hold_new_series,
            ready_file=ready_file,
        )
        if not trust_network:
            _check_loopback(host)
        if config.clickhouse_cluster and not config.clickhouse_url:
            raise StartupError("--clickhouse-cluster names no server", "name the replicas of a shard: --clickhouse-url")
        look_less_often()
        serve(config, lambda ports: click.echo(_welcome(config, ports)))
    except StartupError as error:
        click.echo(f"error: {error}\nhint: {error.hint}", err=True)
        sys.exit(1)


def _secret(said: str, file: Path | None, option: str) -> str:
    """Return what was said, or what stands in the file that was named instead."""
    if file is None:
        return said
    if said:
        raise StartupError(f"both {option} and {option}-file are given", "give one of them")
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{option}-file: {file} cannot be read: {error}", "name a text file with the URL") from error


def _check_loopback(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise StartupError(
            f"{host} is not a loopback address, and the exporter has no access control yet",
            "listen on 127.0.0.1 and put a collector or a proxy with authentication in front; "
            "where only your own services reach the address, --trust-network permits it",
        )


def _sql_line(config: Config, ports: Ports) -> str:
    if ports.sql is None:
        return ""
    token = token_path(config.data)
    return f"  SQL         http://{config.host}:{ports.sql}, user {FIRST_USER}, token in {token}\n"


def _welcome(config: Config, ports: Ports) -> str:
    url = f"http://{config.host}:{ports.http}"
    return f"""LLMLab exporter {__version__}

  OTLP/HTTP   {url}
  OTLP/gRPC   {config.host}:{ports.grpc}
  metrics     {url}/metrics
{_sql_line(config, ports)}  data        {config.data}

Run an application against it:

  export OTEL_SERVICE_NAME=my-app
  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
  export OTEL_EXPORTER_OTLP_ENDPOINT={url}
  export OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none
  opentelemetry-instrument python app.py

See what it spends:

  llmlab status{"" if ports.http == 4318 else f" --url {url}"}
"""
