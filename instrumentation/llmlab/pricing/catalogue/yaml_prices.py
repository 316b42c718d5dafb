"""Prices as the user writes them: USD for a million tokens, or for a single thing, with long-context tiers."""

from decimal import Context, Decimal

import yaml
from genai_prices.types import Tier, TieredPrices

from llmlab.image_kind import ImageKind, read_kind
from llmlab.pricing.catalogue.compiling import REGISTRY
from llmlab.pricing.catalogue.marked_yaml import Complaints, did_you_mean, elements, items, shown
from llmlab.pricing.catalogue.sheet import UnitPrices, amount
from llmlab.pricing.catalogue.units import ALL_FIELDS, PER_REQUEST

SINGLE = {
    "request": ("requests_kcount", 1000),
    "audio_second": ("audio_hours", 3600),
    "audio_minute": ("audio_hours", 60),
    "character": ("input_mchars", 1_000_000),
    "page": ("input_document_kpages", 1000),
    "rerank_search": ("rerank_searches_kcount", 1000),
    "web_search": ("web_searches_kcount", 1000),
    "file_search": ("storage_searches_kcount", 1000),
    "image": ("images_kcount", 1000),
}
"""Prices of a single thing, the price list's unit for it, and how many of the former make one of the latter."""

PRICE_KEYS = (
    *(REGISTRY.units[unit].price_key for unit in (*ALL_FIELDS, PER_REQUEST)),
    *SINGLE,
)

_EXACT = Context(prec=100)
IMAGE_HINT = "write image: 0.04 for all images, or image: {low 1024x1024: 0.011, high 1536x1024: 0.25}"
_PRICE_HINT = "write USD for one unit, such as 2.50, or {base: 2.50, tiers: [{start: 200000, price: 5}]}"


def per_list_unit(key: str, price: Decimal) -> tuple[str, Decimal]:
    """Return the price list's unit for a price key of the user's, and the price of one of it."""
    name, factor = SINGLE.get(key, (key, 1))
    return name, _EXACT.multiply(price, factor)


def unit_prices(node: yaml.Node, complaints: Complaints) -> UnitPrices:
    """Read a mapping of prices."""
    prices: UnitPrices = {}
    for key, value in items(node, complaints, "prices such as {input_mtok: 1.25}"):
        add_price(prices, key, value, complaints)
    return prices


def add_price(
    prices: UnitPrices, key: yaml.ScalarNode, node: yaml.Node, complaints: Complaints, others: tuple[str, ...] = ()
) -> None:
    """Read one price into `prices`. `others` are keys that may stand beside it, to suggest."""
    name, factor = SINGLE.get(key.value, (key.value, 1))
    if key.value not in PRICE_KEYS:
        complaints.add(key, f"unknown price {key.value!r}", did_you_mean(key.value, (*others, *PRICE_KEYS)))
    elif name in prices:
        complaints.add(key, f"{key.value} says again what {name} costs", "keep one of them")
    elif (price := _price(node, factor, complaints)) is not None:
        prices[name] = price


def read_image_kinds(node: yaml.Node, complaints: Complaints) -> dict[ImageKind, Decimal]:
    """Read what an image costs by quality and size, as USD for a thousand."""
    prices: dict[ImageKind, Decimal] = {}
    for key, value in items(node, complaints, "prices by quality and size"):
        kind = _image_kind(key, complaints)
        price = _amount(value, SINGLE["image"][1], complaints)
        if kind in prices:
            complaints.add(key, f"{shown(key)} has a price already", "keep one of them")
        elif kind and price is not None:
            prices[kind] = price
    if len({(bool(kind.quality), bool(kind.size)) for kind in prices}) > 1:
        complaints.add(node, "some of these prices name a quality or a size that others leave open", IMAGE_HINT)
    if not node.value:
        complaints.add(node, "there is no price here", IMAGE_HINT)
    return prices


def _image_kind(key: yaml.ScalarNode, complaints: Complaints) -> ImageKind | None:
    try:
        kind = read_kind(key.value)
    except ValueError as error:
        complaints.add(key, str(error), IMAGE_HINT)
        return None
    if not any(kind):
        complaints.add(key, f"{shown(key)} is no quality and no size", IMAGE_HINT)
    return kind if any(kind) else None


def _price(node: yaml.Node, factor: int, complaints: Complaints) -> Decimal | TieredPrices | None:
    if not isinstance(node, yaml.MappingNode):
        return _amount(node, factor, complaints)
    base: Decimal | None = None
    tiers: list[Tier] = []
    for key, value in items(node, complaints, "base and tiers"):
        match key.value:
            case "base":
                base = _amount(value, factor, complaints)
            case "tiers":
                found = (_tier(each, factor, complaints) for each in elements(value, complaints, "a list of tiers"))
                tiers = [tier for tier in found if tier]
            case other:
                complaints.add(key, f"unknown key {other!r}", did_you_mean(other, ("base", "tiers")))
    if base is None:
        complaints.add(node, "a price with tiers needs a base", _PRICE_HINT)
        return None
    return TieredPrices(base=base, tiers=sorted(tiers, key=lambda tier: tier.start))


def _tier(node: yaml.Node, factor: int, complaints: Complaints) -> Tier | None:
    values = {key.value: value for key, value in items(node, complaints, "{start: 200000, price: 5}")}
    if values.keys() != {"start", "price"}:
        complaints.add(node, f"a tier has start and price, not {', '.join(values) or 'nothing'}", _PRICE_HINT)
        return None
    price = _amount(values["price"], factor, complaints)
    start = values["start"]
    if not isinstance(start, yaml.ScalarNode) or not start.value.replace("_", "").isdecimal():
        complaints.add(start, f"start is {shown(start)}", "write a number of input tokens, such as 200000")
        return None
    return None if price is None else Tier(start=int(start.value.replace("_", "")), price=price)


def _amount(node: yaml.Node, factor: int, complaints: Complaints) -> Decimal | None:
    price = amount(node.value) if isinstance(node, yaml.ScalarNode) else None
    if price is None:
        complaints.add(node, f"{shown(node)} is no price", _PRICE_HINT)
        return None
    return _EXACT.multiply(price, factor)
