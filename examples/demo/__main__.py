"""`make demo`: an application under `opentelemetry-instrument`, an exporter, and what the application spent.

Everything runs on this machine and costs nothing: the provider is a stand-in that speaks OpenAI's protocol and keeps
its own book, which the exporter's total is compared with.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path

from demo.bill import fetch_bill, read_json
from demo.errors import DemoError
from demo.services import PROGRAMS, exporter, provider

APP = Path(__file__).with_name("app.py")
APP_TIMEOUT_S = 90


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself instead of staying up until Ctrl-C")
    options = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    try:
        with tempfile.TemporaryDirectory(prefix="llmlab-demo-") as directory:
            _run(Path(directory), stopped, once=options.once)
    except (DemoError, subprocess.TimeoutExpired) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _run(directory: Path, stopped: threading.Event, *, once: bool) -> None:
    print("Starting a provider and an exporter on this machine ...", flush=True)
    with provider() as provider_url, exporter(directory) as exporter_url:
        print(f"  provider  {provider_url}  speaks OpenAI's protocol")
        print(f"  exporter  {exporter_url}  llmlab up\n")
        run_app(provider_url, exporter_url)
        show_status(exporter_url)
        compare(provider_url, exporter_url)
        # The next act has its place here: a hard budget that stops a call before it is made.
        if not once:
            stay(exporter_url, stopped)


def run_app(provider_url: str, exporter_url: str) -> None:
    """Run the sample application, unchanged, under OpenTelemetry's launcher."""
    print("$ opentelemetry-instrument python examples/demo/app.py", flush=True)
    environment = os.environ | {
        "OPENAI_BASE_URL": f"{provider_url}/v1",
        "OPENAI_API_KEY": "not-needed-here",
        "OTEL_SERVICE_NAME": "demo-shop",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": exporter_url,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    started = time.monotonic()
    command = [PROGRAMS / "opentelemetry-instrument", sys.executable, APP]
    ended = subprocess.run(command, env=environment, timeout=APP_TIMEOUT_S, check=False)
    if ended.returncode:
        raise DemoError(f"the application ended with exit code {ended.returncode}")
    print(f"  done in {time.monotonic() - started:.1f} s\n")


def show_status(exporter_url: str) -> None:
    """Show the spend with the command that everybody uses."""
    print(f"$ llmlab status --url {exporter_url}", flush=True)
    ended = subprocess.run([PROGRAMS / "llmlab", "status", "--url", exporter_url], check=False)
    if ended.returncode:
        raise DemoError(f"'llmlab status' ended with exit code {ended.returncode}")


def compare(provider_url: str, exporter_url: str) -> None:
    """Hold the exporter's total against the provider's own book.

    Raises:
        DemoError: they differ, or nothing was billed.
    """
    bill = fetch_bill(provider_url)
    summary = read_json(f"{exporter_url}/api/costs/summary")
    total, unpriced = Decimal(summary["total_spend"]), summary["unpriced"]["requests"]
    book, ours = f"The provider's own book, {bill.calls} calls at list price:", "The exporter's total:"
    print(f"\n{book}  ${bill.total_usd:f}\n{ours:<{len(book)}}  ${total:f}")
    if not bill.total_usd or (total, unpriced) != (bill.total_usd, bill.unpriced_calls):
        raise DemoError(f"they differ ({unpriced} and {bill.unpriced_calls} calls are without a price)")
    print(f"They agree to the last digit; calls without a known price: {unpriced}, listed and not counted as $0.")


def stay(exporter_url: str, stopped: threading.Event) -> None:
    """Leave the servers up for a look around."""
    print("\nThe exporter stays up. Look around:")
    for path in ("/api/costs/summary", "/metrics", "/readyz"):
        print(f"  {exporter_url}{path}")
    print("\nCtrl-C ends the demo and removes its data.", flush=True)
    stopped.wait()
    print("\nStopped.")


if __name__ == "__main__":
    sys.exit(main())
