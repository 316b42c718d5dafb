"""The user's `prices.yaml`: own prices, dated, and discounts. docs/pricing.md describes the format."""

import hashlib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import yaml

from llmlab.image_kind import ImageKind
from llmlab.pricing.catalogue.marked_yaml import Complaints, compose, did_you_mean, elements, items, shown
from llmlab.pricing.catalogue.own_prices import DiscountRule, OwnPrices
from llmlab.pricing.catalogue.sheet import IMAGES, Entry, PriceListError, Sheet, UnitPrices, amount, fault
from llmlab.pricing.catalogue.yaml_prices import IMAGE_HINT, add_price, read_image_kinds, unit_prices

_RATE = "prices such as {input_mtok: 2.50, output_mtok: 10}, a list of such with `from`, or the word free"


class UserFile:
    """The adapter for `prices.yaml`."""

    name = "prices.yaml"

    def recognises(self, text: str) -> bool:
        """Whether a text has our sections."""
        try:
            root = compose(text, self.name)
        except PriceListError:
            return False
        keys = {key.value for key, _ in root.value} if isinstance(root, yaml.MappingNode) else set[object]()
        return bool(keys & {"prices", "discounts"})

    def read(self, text: str, name: str) -> Sheet:
        """Read the prices, without the discounts. Raises `PriceListError`."""
        own = read_user_file(text, name)
        return Sheet(label=own.label, entries=own.entries)


def read_user_file(text: str, name: str) -> OwnPrices:
    """Read own prices and discounts. Raises `PriceListError` with everything that is wrong."""
    complaints = Complaints()
    root = compose(text, name)
    entries: list[Entry] = []
    rules: list[DiscountRule] = []
    for key, value in items(root, complaints, "a mapping with `prices` and `discounts`") if root else ():
        match key.value:
            case "prices":
                entries = list(_all_entries(value, complaints))
            case "discounts":
                listed = elements(value, complaints, "a list of discounts")
                rules = [rule for node in listed if (rule := _rule(node, complaints))]
            case other:
                complaints.add(key, f"unknown section {other!r}", did_you_mean(other, ("prices", "discounts")))
    if complaints.problems:
        raise PriceListError(name, complaints.problems)
    version = hashlib.sha256(text.encode()).hexdigest()[:8]
    return OwnPrices(label=f"{name} {version}", entries=tuple(entries), rules=tuple(rules))


_ENTRY_KEYS = ("from", "free", "batch", "service_tiers")
_NAMED = "a mapping from provider/model to prices"


def _all_entries(node: yaml.Node, complaints: Complaints) -> Iterator[Entry]:
    lines: dict[str, int] = {}
    for key, value in items(node, complaints, _NAMED):
        name = key.value.lower()
        if name in lines:
            what = f"{shown(key)} is named already in line {lines[name]}; case makes no difference"
            complaints.add(key, what, "keep one of them")
        lines[name] = key.start_mark.line + 1
        yield from _entries(key, value, complaints)


def _entries(key: yaml.ScalarNode, value: yaml.Node, complaints: Complaints) -> Iterator[Entry]:
    provider, slash, model = key.value.partition("/")
    if not slash or not provider or not model:
        hint = (
            f"write provider/model, such as openai/{key.value.strip('/')}, or */{key.value.strip('/')} for any provider"
        )
        complaints.add(key, f"{shown(key)} does not name a provider and a model", hint)
        return
    dated = value.value if isinstance(value, yaml.SequenceNode) else [value]
    if not dated:
        complaints.add(value, f"{key.value} has an empty list of prices", f"write {_RATE}")
    starts: dict[date | None, int] = {}
    for node in dated:
        entry = _entry(provider, model, node, complaints)
        if entry is None:
            continue
        if entry.start in starts:
            since = f"from {entry.start}" if entry.start else "without a date"
            complaints.add(node, f"{key.value} has two prices {since}, the first in line {starts[entry.start]}", _DATES)
        starts[entry.start] = entry.line
        yield entry


_DATES = "give each its own `from`, such as from: 2026-10-01"


def _entry(provider: str, model: str, node: yaml.Node, complaints: Complaints) -> Entry | None:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode) and node.value == "free":
        return Entry(provider=provider, model=model, prices={}, line=line, written=f"{provider}/{model}")
    before = len(complaints.problems)
    start: date | None = None
    free = False
    prices: UnitPrices = {}
    variants: dict[str, UnitPrices] = {}
    image_kinds: dict[ImageKind, Decimal] = {}
    for key, value in items(node, complaints, _RATE):
        match key.value:
            case "from":
                start = _date(value, complaints)
            case "free":
                free = _is_true(value, complaints)
            case "batch":
                variants["batch"] = unit_prices(value, complaints)
            case "service_tiers":
                variants.update(_service_tiers(value, complaints))
            case "image" if isinstance(value, yaml.MappingNode):
                image_kinds = read_image_kinds(value, complaints)
            case _:
                add_price(prices, key, value, complaints, _ENTRY_KEYS)
    entry = Entry(
        provider=provider,
        model=model,
        prices=prices,
        start=start,
        variants=variants,
        image_kinds=image_kinds,
        line=line,
        written=f"{provider}/{model}",
    )
    if len(complaints.problems) == before:
        _check_together(node, entry, complaints, free=free)
    return entry


def _service_tiers(node: yaml.Node, complaints: Complaints) -> Iterator[tuple[str, UnitPrices]]:
    for tier, value in items(node, complaints, "a mapping from tier to prices"):
        prices = unit_prices(value, complaints)
        if IMAGES in prices:
            complaints.add(tier, "what an image costs does not depend on the service tier", IMAGE_HINT)
        yield tier.value.lower(), prices


def _check_together(node: yaml.Node, entry: Entry, complaints: Complaints, *, free: bool) -> None:
    if free and (entry.prices or entry.variants or entry.image_kinds):
        complaints.add(node, "this is said to be free, and has prices", "keep one of them")
    if not free and not entry.prices and not entry.image_kinds:
        complaints.add(node, "there is no price here", "write input_mtok and output_mtok, or free: true")
    for name, each in {"": entry.prices, **{name: entry.prices | own for name, own in entry.variants.items()}}.items():
        if wrong := fault(each):
            where = f"the prices for {name}" if name else "these prices"
            complaints.add(node, f"{where} do not stand together: {wrong}", "add the missing price")


def _date(node: yaml.Node, complaints: Complaints) -> date | None:
    try:
        if isinstance(node, yaml.ScalarNode):
            return date.fromisoformat(node.value)
    except ValueError:
        pass
    complaints.add(
        node, f"{shown(node)} is no date", "write year-month-day, such as 2026-10-01 (it begins at 00:00 UTC)"
    )
    return None


def _is_true(node: yaml.Node, complaints: Complaints) -> bool:
    if isinstance(node, yaml.ScalarNode) and node.value == "true":
        return True
    complaints.add(node, f"free is {shown(node)}", "write free: true, or leave it out")
    return False


_RULE_KEYS = ("percent", "provider", "project", "from", "until")


def _rule(node: yaml.Node, complaints: Complaints) -> DiscountRule | None:
    before = len(complaints.problems)
    found: dict[str, yaml.Node] = {}
    for key, value in items(node, complaints, "{percent: 10, provider: openai}"):
        if key.value in _RULE_KEYS:
            found[key.value] = value
        else:
            complaints.add(key, f"unknown key {key.value!r}", did_you_mean(key.value, _RULE_KEYS))
    percent = _percent(found.get("percent", node), complaints)
    provider, project = (_text(found.get(name), complaints) for name in ("provider", "project"))
    start, end = (_date(found[name], complaints) if name in found else None for name in ("from", "until"))
    if not provider and not project:
        complaints.add(node, "a discount without provider and project", "name one of them; '*' means all")
    if start and end and end <= start:
        complaints.add(node, f"until {end} is not after from {start}", "until is the first day without the discount")
    if percent is None or len(complaints.problems) > before:
        return None
    return DiscountRule(percent=percent, provider=provider, project=project, start=start, end=end)


def _percent(node: yaml.Node, complaints: Complaints) -> Decimal | None:
    text = node.value.removesuffix("%").strip() if isinstance(node, yaml.ScalarNode) else ""
    percent = amount(text) if text else None
    if percent is not None and 0 < percent <= 100:
        return percent
    complaints.add(
        node, f"percent is {shown(node)}", "write percent: and a number above 0 and at most 100, such as 12.5"
    )
    return None


def _text(node: yaml.Node | None, complaints: Complaints) -> str:
    if node is None or (isinstance(node, yaml.ScalarNode) and node.value):
        return node.value if node else ""
    complaints.add(node, f"{shown(node)} is no name", "write a name such as openai")
    return ""
