"""Ledger entries for tests."""

from llmlab_exporter.ledger.book import Entry
from llmlab_exporter.tally import Series, Tally

SERIES = Series("default", "default", "app", "", "openai", "gpt-5-mini", "chat", "ok")
BUCKET = 1_790_000_100


def key(number: int) -> bytes:
    """Return the key of the n-th span."""
    return number.to_bytes(16, "big")


def entry(*keys: bytes, cost_yocto: int = 1, series: Series = SERIES) -> Entry:
    """Make an entry of calls that cost the same."""
    tally = Tally(requests=len(keys), priced=len(keys), cost_yocto=cost_yocto * len(keys))
    return Entry(b"".join(keys), {(BUCKET, series): tally}, len(keys), b"rows of " + b"".join(keys))
