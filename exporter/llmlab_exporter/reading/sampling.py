"""Whether a span stands for others that were not sent: consistent probability sampling, as OpenTelemetry writes it.

A sampler keeps a span when 56 random bits are not below its threshold, and writes the threshold into the trace state,
as `ot=th:c` with 1 to 14 hexadecimal digits, zeros behind them left out (opentelemetry.io/docs/specs/otel/trace/
tracestate-probability-sampling). Samplers of before 2024 write `ot=p:3` for one span in 2 to the power of 3.
"""

import re
from fractions import Fraction
from functools import lru_cache

_BITS = 56
ALL = 1 << _BITS
"""A threshold of t keeps `ALL - t` spans out of `ALL`."""

_THRESHOLD = re.compile(r"[0-9a-f]{1,14}")
_POWER = re.compile(r"[0-9]{1,2}")
_DIGITS = _BITS // 4


@lru_cache(maxsize=4096)
def threshold_of(trace_state: str) -> int:
    """Return the threshold, 0 when every span was kept or nothing (that can be understood) is said of it."""
    for member in trace_state.split(","):
        vendor, _, content = member.strip().partition("=")
        if vendor == "ot":
            return _threshold({key: value for key, _, value in (pair.partition(":") for pair in content.split(";"))})
    return 0


def adjusted(threshold: int) -> Fraction:
    """Return how many spans one that was kept stands for: at least 1."""
    return Fraction(ALL, ALL - threshold)


def _threshold(pairs: dict[str, str]) -> int:
    if _THRESHOLD.fullmatch(digits := pairs.get("th", "")):
        return int(digits.ljust(_DIGITS, "0"), 16)
    if _POWER.fullmatch(power := pairs.get("p", "")) and int(power) <= _BITS:
        return ALL - (ALL >> int(power))
    return 0
