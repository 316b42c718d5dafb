"""The settings of a statement: what a client may change, and the limits that it cannot."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from llmlab_exporter.sql.failure import Failure

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one statement may take. A client may ask for less, never for more."""

    max_execution_time: float = 10.0
    """Seconds."""
    max_result_rows: int = 1_000_000
    max_result_bytes: int = 64 * _MIB
    max_memory_usage: int = 512 * _MIB
    max_threads: int = max(1, (os.cpu_count() or 2) // 2)
    """Half of the machine: the rest is for spans that arrive."""

    def items(self) -> dict[str, float]:
        """Return them under the engine's names."""
        return {
            "max_execution_time": self.max_execution_time,
            "max_result_rows": self.max_result_rows,
            "max_result_bytes": self.max_result_bytes,
            "max_memory_usage": self.max_memory_usage,
            "max_threads": self.max_threads,
        }


_SHAPING = frozenset(
    {
        "date_time_output_format",
        "format_csv_delimiter",
        "group_by_use_nulls",
        "join_use_nulls",
        "limit",
        "max_block_size",
        "offset",
        "output_format_csv_crlf_end_of_line",
        "output_format_decimal_trailing_zeros",
        "output_format_json_escape_forward_slashes",
        "output_format_json_quote_64bit_floats",
        "output_format_json_quote_64bit_integers",
        "output_format_json_quote_decimals",
        "output_format_json_quote_denormals",
        "output_format_json_named_tuples_as_objects",
        "output_format_pretty_max_rows",
        "output_format_write_statistics",
        "session_timezone",
        "union_default_mode",
    }
)
"""Passed to the engine as they are. They shape an answer; none of them names a file, a table or a condition."""

_IGNORED = frozenset(
    {
        "add_http_cors_header",
        "async_insert",
        "buffer_size",
        "cancel_http_readonly_queries_on_client_close",
        "cast_string_to_dynamic_use_inference",
        "date_time_input_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "http_zlib_compression_level",
        "max_insert_block_size",
        "network_compression_method",
        "network_zstd_compression_level",
        "result_overflow_mode",
        "send_progress_in_http_headers",
        "wait_end_of_query",
    }
)
"""Taken without effect: about inserts and transport, or decided here."""

CHANGEABLE = _SHAPING | _IGNORED | Limits().items().keys()


def session_settings(asked: Mapping[str, str], limits: Limits) -> dict[str, str]:
    """Return what to set before a session is locked: what a client may ask for, within the limits.

    Raises `Failure` for a limit that is no number.
    """
    settings = {name: value for name, value in asked.items() if name in _SHAPING}
    for name, limit in limits.items().items():
        settings[name] = (
            f"{_within(name, asked.get(name), limit):g}"
            if name == "max_execution_time"
            else str(int(_within(name, asked.get(name), limit)))
        )
    return settings | {"result_overflow_mode": "throw", "allow_introspection_functions": "0", "allow_ddl": "0"}


def refused(asked: Mapping[str, str]) -> dict[str, str]:
    """Return what is left for the locked engine to refuse, or to accept when it changes nothing."""
    return {name: value for name, value in asked.items() if name not in CHANGEABLE}


def set_statement(settings: Mapping[str, str]) -> str:
    """Return the `SET` statement; raises `Failure` for a name that is none."""
    return "SET " + ", ".join(f"{_checked(name)} = {quoted(value)}" for name, value in settings.items())


def quoted(value: str) -> str:
    """Return a string literal."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Failure(115, f"Unknown setting {name[:100]!r}")
    return name


def _within(name: str, asked: str | None, limit: float) -> float:
    if asked is None:
        return limit
    try:
        value = float(asked)
    except ValueError:
        raise Failure(36, f"Setting {name} must be a number, not {asked[:100]!r}") from None
    # 0 stands for "no limit" in ClickHouse; so does anything that is no number above it, such as NaN.
    return min(value, limit) if value > 0 else limit
