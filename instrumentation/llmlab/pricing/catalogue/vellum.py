"""Price lists as JSON records of a model each, the way comparison sites such as Vellum's export them.

    [{"provider": "openai", "model": "gpt-4o", "input_cost_per_million": 2.5, "output_cost_per_million": 10}]

Either a list, or a mapping with the list under `models` or `data`. Keys may be written `inputCostPerMillion` as well.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

from llmlab.pricing.catalogue.sheet import (
    Entry,
    PriceListError,
    Problem,
    Sheet,
    UnitPrices,
    amount,
    fault,
    is_json,
    load_json,
)

_PRICE = re.compile(r"(\w+?)(?:cost|price)(?:per)?(?:1m|million|mtok)?(?:tokens)?$")
_UNITS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cachedinput": "cache_read_mtok",
    "cacheread": "cache_read_mtok",
    "cachewrite": "cache_write_mtok",
}
"""What stands before `costpermillion`, and our price key."""


class VellumFile:
    """The adapter for JSON records."""

    name = "Vellum"

    def recognises(self, text: str) -> bool:
        """Whether a text is a list of records that name a model and a cost."""
        return is_json(text, lambda value: any(_prices(record, Counter()) for record in _records(value)))

    def read(self, text: str, name: str) -> Sheet:
        """Read the price list. Raises `PriceListError` for a record that does not name its model."""
        skipped: Counter[str] = Counter()
        entries: list[Entry] = []
        for number, record in enumerate(_records(load_json(text, name)), 1):
            model, provider = str(record.get("model") or record.get("name") or ""), str(record.get("provider") or "")
            if not model or not provider:
                hint = 'give it "provider" and "model", or leave it out'
                raise PriceListError(name, [Problem(1, 0, f"record {number} lacks its provider or model", hint)])
            prices = _prices(record, skipped)
            if wrong := fault(prices) if prices else "no price":
                skipped[wrong] += 1
            else:
                entries.append(Entry(provider=provider.lower(), model=model, prices=prices))
        return Sheet(label=name, entries=tuple(entries), skipped=tuple(f"{what}: {n}" for what, n in skipped.items()))


def _records(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        value = mapping.get("models") or mapping.get("data") or []
    listed = cast("list[Any]", value) if isinstance(value, list) else []
    return [{_plain(key): each for key, each in record.items()} for record in listed if isinstance(record, dict)]


def _prices(record: Mapping[str, Any], skipped: Counter[str]) -> UnitPrices:
    found: UnitPrices = {}
    for key, value in record.items():
        named = _PRICE.match(key)
        if named is None or value is None:
            continue
        stem = named[1]
        price = amount(str(value).removeprefix("$"))
        if stem in _UNITS and price is not None:
            found[_UNITS[stem]] = price
        else:
            skipped[f"{key} has no unit of ours"] += 1
    return found


def _plain(name: str) -> str:
    """Write a key without what distinguishes one style from another."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
