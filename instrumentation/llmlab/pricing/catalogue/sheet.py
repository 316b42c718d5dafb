"""What any price list says, in one form: entries that name a model and its prices.

A format is an adapter: one file that reads a text into a `Sheet`. All adapters speak genai-prices' units
(`input_mtok`, USD for a million tokens), and read amounts from the text: no price goes through a binary float.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, Protocol

from genai_prices.types import ClauseEquals, ModelInfo, ModelPrice, PriceVariant, TieredPrices

from llmlab.image_kind import ImageKind
from llmlab.pricing.catalogue.compiling import CatalogueError, prices_of

UnitPrices = dict[str, Decimal | TieredPrices]
"""USD by the library's price key."""

IMAGES = "images_kcount"
"""The price key of images by the piece."""

FREE = "free of charge"
"""How an entry that costs nothing says so."""


class Problem(NamedTuple):
    """What is wrong with a price list, where, and what would be right."""

    line: int
    column: int
    """Both count from 1; column 0 when the format has none."""
    what: str
    hint: str

    def at(self, name: str) -> str:
        """Write the problem with the place that editors jump to."""
        place = f"{name}:{self.line}" + (f":{self.column}" if self.column else "")
        return f"{place}: {self.what}; {self.hint}"


class PriceListError(Exception):
    """A price list that cannot be used."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(problem.at(name) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The prices of one model from one date on."""

    provider: str
    """As the price list writes it."""
    model: str
    prices: UnitPrices
    """Empty when the model is free, or when it has prices by `image_kinds` only."""
    start: date | None = None
    """Since when, None for ever."""
    variants: Mapping[str, UnitPrices] = field(default_factory=dict[str, UnitPrices])
    """Prices that differ for `batch`, or for a service tier by its name."""
    image_kinds: Mapping[ImageKind, Decimal] = field(default_factory=dict[ImageKind, Decimal])
    """USD for a thousand images where quality and size make the price. All kinds name the same of the two."""
    line: int = 0
    written: str = ""
    """What the price list calls the model, with the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A price list as it was read."""

    label: str
    """Name and version."""
    entries: tuple[Entry, ...]
    skipped: tuple[str, ...] = ()
    """What has no place in our units, in words."""


class Adapter(Protocol):
    """Reads one format of price lists."""

    name: str
    """What people call the format."""

    def recognises(self, text: str) -> bool:
        """Whether a text is, by its shape, of this format."""
        ...

    def read(self, text: str, name: str) -> Sheet:
        """Read a price list. `name` is what to call the file. Raises `PriceListError`."""
        ...


def model_info(entry: Entry) -> ModelInfo:
    """Write an entry as the library would, with which it is compiled."""
    return ModelInfo(
        id=entry.model,
        match=ClauseEquals(entry.model.lower()),
        price_comments=None if entry.prices or entry.image_kinds else FREE,
        prices=ModelPrice(**entry.prices),
        price_variants=[variant for name, prices in _all_variants(entry) for variant in _variants(name, prices)],
    )


def _all_variants(entry: Entry) -> Iterator[tuple[str, UnitPrices]]:
    yield from entry.variants.items()
    for kind, price in entry.image_kinds.items():
        yield str(kind), {IMAGES: price}


def _variants(name: str, prices: UnitPrices) -> list[PriceVariant]:
    selectors = [{"processing": "batch"}] if name == "batch" else [{"service_tier": name}, {"speed": name}]
    return [PriceVariant(when=when, prices=ModelPrice(**prices)) for when in selectors]


def amount(text: str) -> Decimal | None:
    """Read a price exactly; None when it is none: below zero, no number, or finer than a cost can be."""
    try:
        number = Decimal(text.replace("_", ""))
    except InvalidOperation:
        return None
    exact = number.is_finite() and number >= 0 and -40 < number.adjusted() < 12
    return number if exact else None


def fault(prices: UnitPrices) -> str:
    """Say what the library would refuse about prices that stand together, "" when nothing."""
    try:
        prices_of(ModelPrice(**prices))
    except (CatalogueError, ValueError) as error:
        return str(error)
    return ""


def load_json(text: str, name: str) -> Any:
    """Read JSON with its numbers as exact decimals. Raises `PriceListError`."""
    try:
        return json.loads(text, parse_float=Decimal)
    except json.JSONDecodeError as error:
        problem = Problem(error.lineno, error.colno, error.msg.lower(), "the file is to be JSON")
        raise PriceListError(name, [problem]) from error


def is_json(text: str, shape: Callable[[Any], bool]) -> bool:
    """Whether a text is JSON of a shape."""
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        return shape(json.loads(text))
    except json.JSONDecodeError:
        return False
