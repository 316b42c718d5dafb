"""Sizes in bytes, for people."""

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def size(size_bytes: int) -> str:
    """Write a size with two or three digits: `0 bytes`, `1.5 GiB`, `340 MiB`."""
    amount, unit = float(size_bytes), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount /= 1024
        unit += 1
    digits = 1 if unit and amount < 100 else 0
    return f"{amount:.{digits}f} {_UNITS[unit]}"
