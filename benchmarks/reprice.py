"""How fast history is priced again, and what a stored call occupies.

    python benchmarks/reprice.py --rows 1000000

Fills a ledger and an embedded store in this process with made-up calls over thirty days, of which every tenth had no
known price and every tenth another one. Then it prices all of them again: dry, for real, and once more. The calls
have random ids, users and token counts, so that nothing compresses that would not compress in life.
"""

import argparse
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from llmlab.pricing.pricer import Pricer
from llmlab.usage import Usage
from llmlab_exporter.assess import Line, line
from llmlab_exporter.batch import batch
from llmlab_exporter.call import Call, Reading
from llmlab_exporter.ledger.book import Book
from llmlab_exporter.ledger.writer import Writer
from llmlab_exporter.reprice.job import Repricer
from llmlab_exporter.reprice.request import Request
from llmlab_exporter.store.flusher import Flusher
from llmlab_exporter.store.store import Store, open_embedded
from llmlab_exporter.window import Window

FIRST = date(2026, 10, 1)
FIRST_NS = 1_790_812_800 * 10**9
DAYS = 30
DAY_NS = 86_400 * 10**9
BATCH = 500
MODELS = (
    ("openai", "gpt-5-mini-2025-08-07"),
    ("openai", "gpt-5-2025-08-07"),
    ("openai", "gpt-4o-mini-2024-07-18"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("anthropic", "claude-haiku-4-5-20251001"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("cohere", "command-r-plus-08-2024"),
)
FEATURES = ("search", "summary", "chat", "agent", "")


def made_up(chance: random.Random, number: int, rows: int) -> Call:
    """Make a call such as an application of many users makes."""
    provider, model = chance.choice(MODELS)
    end_ns = FIRST_NS + number * DAYS * DAY_NS // rows + chance.randrange(10**9)
    tokens = int(chance.lognormvariate(7.5, 1.0))
    cached = tokens // 128 * 128 if chance.random() < 0.3 else None
    reasoning = chance.randrange(2000) if model.startswith("gpt-5") else None
    output = int(chance.lognormvariate(5.5, 0.8)) + (reasoning or 0)
    reading = Reading(
        operation="chat",
        provider=provider,
        request_model=model,
        response_model=model,
        response_id=f"chatcmpl-{chance.randbytes(18).hex()}",
        tier="default",
        stream=chance.random() < 0.5,
        usage=Usage(tokens, output, cache_read=cached, reasoning=reasoning),
        usage_source="reported",
        finish_reason="stop",
        feature=chance.choice(FEATURES),
        user=f"user-{chance.randrange(5000)}",
    )
    duration_ns = int(chance.lognormvariate(0.5, 0.7) * 1e9)
    return Call(
        chance.randbytes(16),
        chance.randbytes(8),
        chance.randbytes(8),
        end_ns - duration_ns,
        end_ns,
        "llmlab",
        "default",
        "default",
        "shop",
        "production",
        provider,
        model,
        reading,
    )


def past(call: Call, number: int, pricer: Pricer) -> Line:
    """Price a call as it was priced once."""
    found = line(call, pricer)
    price = found.priced
    if number % 10 == 0:
        price = price._replace(cost_yocto=None, source="none", reason="unknown_model", rate=None)
    elif number % 10 == 1 and price.cost_yocto is not None:
        price = price._replace(cost_yocto=price.cost_yocto * 2, rate_start="2020-01-01")
    return found._replace(priced=price, computed=price)


def batches(rows: int, pricer: Pricer) -> Iterator[list[Line]]:
    """Make all calls, in the order of their ends, as they arrive."""
    chance = random.Random(1)  # noqa: S311 - made-up calls
    for first in range(0, rows, BATCH):
        numbers = range(first, min(first + BATCH, rows))
        yield [past(made_up(chance, number, rows), number, pricer) for number in numbers]


def bytes_by_column(store: Store) -> dict[str, float]:
    """Return the compressed bytes per call of each column, the largest first."""
    store.command("OPTIMIZE TABLE {database}.llm_calls FINAL")
    found = store.query(
        "SELECT column, sum(column_data_compressed_bytes) / sum(rows) AS size FROM system.parts_columns "
        "WHERE active AND database = 'llmlab' AND table = 'llm_calls' GROUP BY column ORDER BY size DESC"
    )
    return {str(column): round(float(size), 2) for column, size in found}


def measure(rows: int, data: Path) -> dict[str, object]:
    """Fill, measure, and price again three times."""
    pricer = Pricer()
    writer = Writer(Book(data / "ledger.sqlite"))
    writer.start()
    engine = open_embedded(data / "engine")
    flusher = Flusher(writer, lambda: engine)
    flusher.start()
    for lines in batches(rows, pricer):
        writer.commit(batch(lines)).result(60)
    while writer.run(lambda book: book.outbox.rows):
        time.sleep(0.1)
    columns = bytes_by_column(engine)
    result: dict[str, object] = {"rows": rows, "bytes_per_call": round(sum(columns.values()), 1)}
    result["largest_columns"] = dict(list(columns.items())[:16])
    repricer = Repricer(writer, lambda: flusher.store, pricer, Window(pricer))
    for name, dry_run in (("dry_run", True), ("real", False), ("nothing_to_do", False)):
        started = time.perf_counter()
        request = Request(first=FIRST, last=FIRST + timedelta(days=DAYS), dry_run=dry_run)
        job = repricer.start(request)
        while not job.ended:
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        sums = job.report.total()
        result[name] = {
            "seconds": round(seconds, 1),
            "calls_per_s": round(sums.calls / seconds),
            "calls": sums.calls,
            "changed": sums.changed,
        }
    result["bytes_per_call_afterwards"] = round(sum(bytes_by_column(engine).values()), 1)
    result["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    flusher.stop(60)
    writer.stop()
    return result


def main() -> None:
    """Measure and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(measure(options.rows, Path(directory)), indent=2))


if __name__ == "__main__":
    main()
