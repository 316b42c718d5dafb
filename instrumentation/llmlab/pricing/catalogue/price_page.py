"""Providers' price pages as a table: one row for each price, as CSV or as a YAML list of the same columns.

    provider,model,unit,price,from,tier,above
    openai,gpt-4o,input_mtok,2.50,2024-10-02,,
    openai,gpt-4o,input_mtok,1.25,2024-10-02,batch,
    google,gemini-2.5-pro,input_mtok,2.50,,,200000

`unit` is a price key as in `prices.yaml`. `from` (a date), `tier` (`batch` or a service tier) and `above` (input tokens
from which the price holds for the whole call) may be left out.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import yaml
from genai_prices.types import Tier, TieredPrices

from llmlab.pricing.catalogue.marked_yaml import Complaints, compose, did_you_mean, elements, items
from llmlab.pricing.catalogue.sheet import Entry, PriceListError, Problem, Sheet, UnitPrices, amount, fault
from llmlab.pricing.catalogue.yaml_prices import PRICE_KEYS, per_list_unit

_REQUIRED = ("provider", "model", "unit", "price")
_COLUMNS = (*_REQUIRED, "from", "tier", "above")


class _Row(NamedTuple):
    line: int
    provider: str
    model: str
    start: date | None
    tier: str
    unit: str
    above: int
    price: Decimal


class PricePage:
    """The adapter for tables of prices."""

    name = "price page"

    def recognises(self, text: str) -> bool:
        """Whether a text has our columns."""
        first = text.lstrip().partition("\n")[0]
        if set(_REQUIRED) <= {column.strip() for column in first.split(",")}:
            return True
        try:
            root = compose(text, self.name) if first.startswith("-") else None
        except PriceListError:
            return False
        listed = root.value if isinstance(root, yaml.SequenceNode) else []
        return any(set(_REQUIRED) <= set(_texts(node, Complaints())) for node in listed[:1])

    def read(self, text: str, name: str) -> Sheet:
        """Read the table. Raises `PriceListError` with every bad row."""
        problems: list[Problem] = []
        is_yaml = text.lstrip().startswith("-")
        rows = _yaml_rows(text, name, problems) if is_yaml else _csv_rows(text, problems)
        grouped: dict[tuple[str, str, date | None], list[_Row]] = {}
        for line, values in rows:
            if row := _row(line, values, problems):
                grouped.setdefault((row.provider, row.model, row.start), []).append(row)
        entries = [_entry(group) for group in grouped.values()]
        problems += [_apart(entry, wrong) for entry in entries if (wrong := fault(entry.prices))]
        if problems:
            raise PriceListError(name, problems)
        return Sheet(label=name, entries=tuple(entries))


def _csv_rows(text: str, problems: list[Problem]) -> Iterator[tuple[int, Mapping[str, str]]]:
    reader = csv.DictReader(io.StringIO(text.lstrip()), skipinitialspace=True)
    names = [name.strip() for name in reader.fieldnames or ()]
    unknown = (name for name in names if name not in _COLUMNS)
    problems.extend(Problem(1, 0, f"unknown column {name!r}", did_you_mean(name, _COLUMNS)) for name in unknown)
    for row in reader:
        yield reader.line_num, {str(key).strip(): str(value or "").strip() for key, value in row.items()}


def _yaml_rows(text: str, name: str, problems: list[Problem]) -> Iterator[tuple[int, Mapping[str, str]]]:
    complaints = Complaints()
    root = compose(text, name)
    for node in elements(root, complaints, "a list of rows") if root else ():
        yield node.start_mark.line + 1, _texts(node, complaints)
    problems += complaints.problems


def _texts(node: yaml.Node, complaints: Complaints) -> dict[str, str]:
    pairs = items(node, complaints, "a row such as {provider: openai, model: gpt-4o, unit: input_mtok, price: 2.50}")
    return {key.value: value.value for key, value in pairs if isinstance(value, yaml.ScalarNode)}


def _row(line: int, values: Mapping[str, str], problems: list[Problem]) -> _Row | None:
    before = len(problems)
    if missing := [name for name in _REQUIRED if not values.get(name)]:
        problems.append(Problem(line, 0, f"{', '.join(missing)} is empty", "each row has " + ", ".join(_REQUIRED)))
        return None
    unit, price = values["unit"], amount(values["price"].removeprefix("$"))
    if unit not in PRICE_KEYS:
        problems.append(Problem(line, 0, f"unknown unit {unit!r}", did_you_mean(unit, PRICE_KEYS)))
    if price is None:
        problems.append(Problem(line, 0, f"{values['price']!r} is no price", "write USD, such as 2.50"))
    start, above = values.get("from", ""), values.get("above", "") or "0"
    if start and not _is_date(start):
        problems.append(Problem(line, 0, f"{start!r} is no date", "write year-month-day, such as 2026-10-01"))
    if not above.isdecimal():
        problems.append(Problem(line, 0, f"above is {above!r}", "write a number of input tokens, such as 200000"))
    if len(problems) > before or price is None:
        return None
    key, exact = per_list_unit(unit, price)
    since = date.fromisoformat(start) if start else None
    tier = values.get("tier", "").lower()
    return _Row(line, values["provider"].lower(), values["model"], since, tier, key, int(above), exact)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _entry(rows: list[_Row]) -> Entry:
    first = rows[0]
    tiers = dict.fromkeys(row.tier for row in rows if row.tier)
    return Entry(
        provider=first.provider,
        model=first.model,
        prices=_unit_prices(rows, ""),
        start=first.start,
        variants={tier: _unit_prices(rows, tier) for tier in tiers},
        line=first.line,
    )


def _unit_prices(rows: list[_Row], tier: str) -> UnitPrices:
    found: UnitPrices = {}
    for row in sorted((row for row in rows if row.tier == tier), key=lambda row: row.above):
        base = found.get(row.unit)
        if not row.above:
            found[row.unit] = row.price
        elif isinstance(base, Decimal):
            found[row.unit] = TieredPrices(base=base, tiers=[Tier(start=row.above, price=row.price)])
        elif isinstance(base, TieredPrices):
            base.tiers.append(Tier(start=row.above, price=row.price))
    return found


def _apart(entry: Entry, wrong: str) -> Problem:
    what = f"the prices of {entry.provider}/{entry.model} do not stand together: {wrong}"
    return Problem(entry.line, 0, what, "add the missing price")
