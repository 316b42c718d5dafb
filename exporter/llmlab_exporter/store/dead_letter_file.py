"""The dead letters as JSON lines, for people and their tools. The ledger is what counts; the file follows it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from llmlab_exporter.ledger.dead_letters import DeadLetter
from llmlab_exporter.ledger.parcels import Unreadable, unpack


def describe(letter: DeadLetter) -> dict[str, Any]:
    """Write a dead letter in values that JSON has. What cannot be read has no call, and is a number of calls."""
    refused_at = datetime.fromtimestamp(letter.refused_at, UTC).isoformat().replace("+00:00", "Z")
    described = {"id": letter.letter_id, "refused_at": refused_at, "reason": letter.reason, "calls": letter.rows}
    try:
        rows = unpack([letter.payload])
    except Unreadable:
        return described | {"call": None}
    return described | {"call": _as_text(rows.slice(0, 1))[0]}


class DeadLetterFile:
    """`dead-letters.jsonl`, the oldest first."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, letter: DeadLetter) -> None:
        """Add one."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(letter))

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Begin anew with all there are, the newest of them first; without any there is no file."""
        if not letters:
            self.path.unlink(missing_ok=True)
            return
        partial = self.path.with_name(f"{self.path.name}.partial")
        partial.write_text("".join(map(_line, reversed(letters))), encoding="utf-8")
        partial.replace(self.path)


def _line(letter: DeadLetter) -> str:
    return json.dumps(describe(letter), ensure_ascii=False) + "\n"


def _as_text(rows: pa.Table) -> list[dict[str, Any]]:
    """Write rows for people, in values that JSON has: ids in hexadecimal, money and times as text, nothing empty."""
    texts = [
        column.cast(pa.string()) if pa.types.is_timestamp(column.type) or pa.types.is_decimal(column.type) else column
        for column in rows.columns
    ]
    return [
        {name: _text(value) for name, value in row.items() if value not in {None, "", False}}
        for row in pa.table(texts, rows.column_names).to_pylist()
    ]


def _text(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
