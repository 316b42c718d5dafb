"""How fast the exporter takes spans: acknowledged durably, priced, and counted in the store.

The load generator runs beside the exporter on the same machine, so its own work is included. The yardstick is the
bare parse of the same bytes by protobuf's official classes, in the same run.

    python benchmarks/ingest.py --spans 200000
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import clickhouse_connect
import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from exporter_process import ExporterProcess, running
from page import table, write_between
from spans import requests

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RESULTS = Path(__file__).parent / "results" / "ingest.json"
SENDERS = 8
PACED_SPANS_PER_S = 1_000
PACED_REQUEST_SPANS = 100
PACED_S = 10


async def send_all(port: int, bodies: list[bytes]) -> list[float]:
    """Send requests with `SENDERS` in flight; returns the seconds each waited for its acknowledgement."""
    waiting = iter(bodies)
    waits: list[float] = []

    async def sender(export: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]) -> None:
        for body in waiting:
            began = time.perf_counter()
            answer = await export(body)
            waits.append(time.perf_counter() - began)
            assert answer == b"", f"spans were rejected: {answer!r}"

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary(METHOD)
        await asyncio.gather(*(sender(export) for _ in range(SENDERS)))
    return waits


async def send_paced(port: int, bodies: list[bytes]) -> list[float]:
    """Send small requests at `PACED_SPANS_PER_S`; returns the waits."""
    interval_s = PACED_REQUEST_SPANS / PACED_SPANS_PER_S
    waits: list[float] = []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary(METHOD)
        due = time.perf_counter()
        for body in bodies:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            began = time.perf_counter()
            await export(body)
            waits.append(time.perf_counter() - began)
            due += interval_s
    return waits


def parse_seconds(bodies: list[bytes]) -> float:
    """Time the bare parse of the same bytes."""
    began = time.perf_counter()
    for body in bodies:
        ExportTraceServiceRequest.FromString(body)
    return time.perf_counter() - began


def percentile_ms(waits: list[float], percent: int) -> float:
    """Return a percentile in milliseconds."""
    return round(statistics.quantiles(waits, n=100)[percent - 1] * 1000, 2)


def count_stored(data: Path) -> int:
    """Count distinct calls in the store, after the exporter has let go of it."""
    client = clickhouse_connect.get_client(interface="chdb", path=str(data / "exporter" / "clickhouse"))
    rows, distinct = client.query("SELECT count(), uniqExact(trace_id, span_id) FROM llmlab.llm_calls").result_rows[0]
    client.close()
    assert rows == distinct, f"{rows - distinct} calls are stored twice"
    return int(rows)


def measure(exporter: ExporterProcess, spans: int) -> dict[str, Any]:
    """Warm up, run at full speed, then at a steady pace."""
    asyncio.run(send_all(exporter.grpc_port, [body for _, body in requests(5_120)]))
    exporter.wait_until_stored()
    idle_mib = exporter.memory_mib("VmRSS")
    bodies = [body for _, body in requests(spans)]
    began = time.perf_counter()
    waits = asyncio.run(send_all(exporter.grpc_port, bodies))
    acknowledged_s = time.perf_counter() - began
    exporter.wait_until_stored()
    stored_s = time.perf_counter() - began
    paced = [next(requests(PACED_REQUEST_SPANS))[1] for _ in range(PACED_S * PACED_SPANS_PER_S // PACED_REQUEST_SPANS)]
    paced_waits = asyncio.run(send_paced(exporter.grpc_port, paced))
    exporter.wait_until_stored()
    decode_s = parse_seconds(bodies)
    return {
        "spans": spans,
        "seconds": round(stored_s, 3),
        "acknowledged_seconds": round(acknowledged_s, 3),
        "spans_per_s": round(spans / stored_s),
        "decode_seconds": round(decode_s, 3),
        "ratio_to_decode": round(stored_s / decode_s, 2),
        "ack_p50_ms": percentile_ms(waits, 50),
        "ack_p99_ms": percentile_ms(waits, 99),
        "paced": {
            "spans_per_s": PACED_SPANS_PER_S,
            "ack_p50_ms": percentile_ms(paced_waits, 50),
            "ack_p99_ms": percentile_ms(paced_waits, 99),
        },
        "rss_idle_mib": round(idle_mib, 1),
        "rss_peak_mib": round(exporter.memory_mib("VmHWM"), 1),
    }


def render(figures: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    machine, paced = figures["machine"], figures["paced"]
    rows = [
        ("what", "figure"),
        ("spans sent, acknowledged and found in the store", f"{figures['stored']:,}"),
        ("seconds until all were acknowledged", f"{figures['acknowledged_seconds']:.1f}"),
        ("seconds until all were in the store", f"{figures['seconds']:.1f}"),
        ("spans per second, until in the store", f"{figures['spans_per_s']:,}"),
        ("times the bare parse of the same bytes", f"{figures['ratio_to_decode']:.1f}"),
        ("acknowledgement at full load, p50 / p99", f"{figures['ack_p50_ms']:.0f} / {figures['ack_p99_ms']:.0f} ms"),
        (
            f"acknowledgement at {paced['spans_per_s']:,} spans/s, p50 / p99",
            f"{paced['ack_p50_ms']:.1f} / {paced['ack_p99_ms']:.1f} ms",
        ),
        ("memory of the exporter, idle / peak", f"{figures['rss_idle_mib']:.0f} / {figures['rss_peak_mib']:.0f} MiB"),
    ]
    return f"{machine['cpus']} CPUs, Python {machine['python']}, load generator included.\n\n{table(rows)}"


def main() -> None:
    """Run the benchmark and write its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=200_000)
    spans = parser.parse_args().spans
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        with running(data / "exporter") as exporter:
            figures = measure(exporter, spans)
        extra = 5_120 + PACED_S * PACED_SPANS_PER_S
        figures["stored"] = count_stored(data) - extra
    assert figures["stored"] == spans, f"{spans} spans were acknowledged, {figures['stored']} are stored"
    figures["machine"] = {"cpus": os.cpu_count(), "python": platform.python_version()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    write_between("ingest", render(figures))
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
