"""The table of calls in `docs/instrumentation.md`: which are proven in which ways. `make docs-table` writes it.

    python tests/instrumentation/calls_table.py proofs.json

The file is what a run of the tests wrote to LLMLAB_CELLS_FILE. The oldest versions come from `oldest.json`.
"""

import json
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from packaging.version import Version

from instrumentation.cells import WAYS

PAGE = Path(__file__).parents[2] / "docs" / "instrumentation.md"
OLDEST = Path(__file__).with_name("oldest.json")
BEGIN, END = "<!-- calls:begin -->", "<!-- calls:end -->"
PROVEN, OPEN, NONE = "✓", "", "-"

_WHOLE, _STREAMED = ("sync", "async"), ("sync stream", "async stream", "abandoned")
_ALWAYS_STREAMED = {
    "anthropic": ("messages.stream", "beta.messages.stream"),
    "boto3": ("converse_stream", "invoke_model_with_response_stream"),
    "cohere": ("chat_stream", "v2.chat_stream"),
    "google-genai": ("models.generate_content_stream", "chats.send_message_stream"),
    "mistralai": ("chat.stream", "agents.stream", "fim.stream"),
    "openai": ("chat.completions.stream", "responses.stream"),
}
_NEVER_STREAMED = {
    "anthropic": ("messages.parse", "beta.messages.parse", "messages.batches.results", "beta.messages.batches.results"),
    "boto3": ("converse", "invoke_model"),
    "cohere": ("chat", "v2.chat", "generate", "embed", "v2.embed", "rerank", "v2.rerank"),
    "google-genai": ("models.generate_content", "chats.send_message", "models.embed_content"),
    "groq": ("embeddings.create",),
    "langchain-core": ("embeddings",),
    "litellm": ("embedding",),
    "mistralai": ("chat.complete", "agents.complete", "fim.complete", "embeddings.create"),
    "openai": (
        "audio.speech.create",
        "chat.completions.parse",
        "embeddings.create",
        "images.create_variation",
        "responses.compact",
        "responses.parse",
    ),
}
_NO_CALL_WHEN_REFUSED = {"messages.batches.results", "beta.messages.batches.results"}  # billed before they are fetched


class Row(NamedTuple):
    """One call of one SDK."""

    sdk: str
    call: str


class Proof(NamedTuple):
    """A cell that passed, and the version of the SDK that it passed with."""

    sdk: str
    call: str
    way: str
    version: str

    @property
    def row(self) -> Row:
        return Row(self.sdk, self.call)


def impossible(row: Row) -> set[str]:
    """Return the ways that a call cannot be made in."""
    ways: set[str] = set()
    call = row.call.partition(" (")[0]  # whoever serves it
    if call in _ALWAYS_STREAMED.get(row.sdk, ()):
        ways.update(_WHOLE)
    if call in _NEVER_STREAMED.get(row.sdk, ()):
        ways.update(_STREAMED)
    if row.sdk == "boto3":  # has no asynchronous client
        ways.update(("async", "async stream"))
    if call in _NO_CALL_WHEN_REFUSED:
        ways.add("error")
    return ways


def render(proofs: Collection[Proof], oldest: Collection[Proof]) -> str:
    """Write the table. `oldest` has the lowest version that each cell passed with.

    Raises:
        ValueError: a cell was proven that `impossible` rules out.
    """
    head = ("SDK", "call", *WAYS, "newest", "oldest")
    rows = sorted({proof.row for proof in proofs})
    lines = [head, ("---", "---", *[":-:"] * len(WAYS), "---", "---"), *(_line(row, proofs, oldest) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _line(row: Row, proofs: Iterable[Proof], oldest: Iterable[Proof]) -> tuple[str, ...]:
    proven = {proof.way: proof.version for proof in proofs if proof.row == row}
    ruled_out = impossible(row)
    if both := proven.keys() & ruled_out:
        raise ValueError(f"{row.sdk} {row.call}: {', '.join(sorted(both))} proven, although said to be impossible")
    marks = [PROVEN if way in proven else NONE if way in ruled_out else OPEN for way in WAYS]
    newest = max(proven.values(), key=Version)
    return (f"`{row.sdk}`", f"`{row.call}`", *marks, newest, _oldest(row, proven, oldest))


def _oldest(row: Row, ways: Collection[str], oldest: Iterable[Proof]) -> str:
    """Return the lowest version that all these ways of a call passed with, a dash where there is none."""
    lowest = {proof.way: proof.version for proof in oldest if proof.row == row}
    if not lowest.keys() >= set(ways):
        return NONE
    return max((lowest[way] for way in ways), key=Version)


def ticks(page: str) -> set[tuple[str, str, str]]:
    """Return the cells (SDK, call, way) that the table on the page has a tick in."""
    return {
        (row.sdk, row.call, way)
        for row, marks in _rows(page).items()
        for way, mark in zip(WAYS, marks, strict=False)
        if mark == PROVEN
    }


def versions(page: str) -> dict[Row, tuple[str, str]]:
    """Return the newest and the oldest version in each row of the table on the page."""
    return {row: (newest, oldest) for row, (*_, newest, oldest) in _rows(page).items()}


def oldest_versions(page: str, oldest: Collection[Proof]) -> dict[Row, str]:
    """Return what belongs into the last column, given the ticks on the page."""
    proven = ticks(page)
    return {row: _oldest(row, {way for sdk, call, way in proven if row == (sdk, call)}, oldest) for row in _rows(page)}


def _rows(page: str) -> dict[Row, list[str]]:
    lines = page.partition(BEGIN)[2].partition(END)[0].strip().splitlines()[2:]
    parts = [[part.strip().strip("`") for part in line[1:-1].split("|")] for line in lines]
    return {Row(sdk, call): rest for sdk, call, *rest in parts}


def replace(page: str, table: str) -> str:
    """Return the page with another table."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{table}\n{end}{after}"


def read_proofs(file: Path) -> set[Proof]:
    """Read what runs of the tests proved."""
    return {Proof(*each) for each in json.loads(file.read_text())}


def read_oldest() -> set[Proof]:
    """Read the lowest versions that the cells passed with."""
    recorded: dict[str, Any] = json.loads(OLDEST.read_text())
    return {
        Proof(sdk, call, way, version)
        for provider in recorded.values()
        for sdk, calls in provider["cells"].items()
        for call, ways in calls.items()
        for way, version in ways.items()
    }


if __name__ == "__main__":
    PAGE.write_text(replace(PAGE.read_text(), render(read_proofs(Path(sys.argv[1])), read_oldest())))
