"""The user's own prices and discounts, ready to be asked: by exact name, by pattern, by date."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fnmatch import translate
from functools import lru_cache, reduce

from genai_prices.types import Provider

from llmlab.image_kind import ImageKind, read_kind
from llmlab.pricing.catalogue.lookup import Listing
from llmlab.pricing.catalogue.rating import rate_in, variant_of
from llmlab.pricing.catalogue.sheet import Entry, model_info
from llmlab.pricing.catalogue.windows import window_of
from llmlab.pricing.names import served
from llmlab.pricing.rate import Discount, Rate
from llmlab.pricing.schedule import Schedule, combine, constant, during

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountRule:
    """A discount, and what it applies to. At least one of provider and project is named."""

    percent: Decimal
    provider: str = ""
    """"" for all; may be a pattern."""
    project: str = ""
    """"" for all; may be a pattern."""
    start: date | None = None
    end: date | None = None
    """The first day on which it no longer applies."""


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """The prices of one name in the user's file."""

    name: str
    label: str
    entries: tuple[Entry, ...]
    """By ascending date."""

    @property
    def written(self) -> str:
        """The name as the user wrote it."""
        return self.entries[0].written or self.name

    def rates(self, tier: str, *, batch: bool) -> Schedule[Rate | None]:
        """Compile the rates; None before the first date."""
        tier, batch = served(tier, batch=batch)
        values: list[Rate | None] = [self._rate(entry, tier, batch=batch) for entry in self.entries]
        epochs = [entry.start for entry in self.entries if entry.start is not None]
        if len(epochs) == len(values):
            values.insert(0, None)
        return Schedule(tuple(map(_midnight_ns, epochs)), (), tuple((value,) for value in values))

    def _rate(self, entry: Entry, tier: str, *, batch: bool) -> Rate:
        model = model_info(entry)
        provider = Provider(id=entry.provider, name=entry.provider, api_pattern="", models=[model])
        listing = Listing(provider, provider, model)
        tier, gap = _by_kind(entry.image_kinds, tier) if entry.image_kinds else (tier, "")
        window = window_of(model, variant_of(listing, tier, batch=batch), _EPOCH)
        start = entry.start.isoformat() if entry.start else ""
        return rate_in(window, listing, self.label, start, tier, batch=batch, image_gap=gap)


def _by_kind(listed: Collection[ImageKind], tier: str) -> tuple[str, str]:
    """Choose the price of an image by the quality and size that stand where the tier does.

    Returns the kind as it is listed, and if it is not, why there is no price.
    """
    only = next(iter(listed))
    if len(listed) == 1 and not tier:
        return str(only), ""
    try:
        asked = read_kind(tier)
    except ValueError:
        asked = ImageKind(tier)
    kind = ImageKind(asked.quality if only.quality else "", asked.size if only.size else "")
    if kind in listed:
        return str(kind), ""
    unsaid = [name for name, wanted, said in zip(ImageKind._fields, only, asked, strict=True) if wanted and not said]
    gap = f"nobody said their {' and '.join(unsaid)}" if unsaid else f"there is no price for {tier[:80]!r}"
    return tier, f"{gap}; there are prices for {', '.join(map(str, listed))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPrices:
    """What the user's file says."""

    label: str = ""
    """Name and version of the file."""
    entries: tuple[Entry, ...] = ()
    rules: tuple[DiscountRule, ...] = ()
    _exact: dict[str, OwnPrice] = field(init=False, repr=False)
    _patterns: tuple[tuple[re.Pattern[str], OwnPrice], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        prices = _by_name(self.entries, self.label)
        object.__setattr__(self, "_exact", {name: price for name, price in prices.items() if not is_pattern(name)})
        patterns = tuple((_pattern(name), price) for name, price in prices.items() if is_pattern(name))
        object.__setattr__(self, "_patterns", patterns)

    def known_as(self, provider_id: Callable[[str], str]) -> "OwnPrices":
        """Return the same with providers called what the catalogue calls them."""

        def renamed(name: str) -> str:
            return name if not name or is_pattern(name) else provider_id(name)

        return OwnPrices(
            label=self.label,
            entries=tuple(replace(entry, provider=renamed(entry.provider)) for entry in self.entries),
            rules=tuple(replace(rule, provider=renamed(rule.provider)) for rule in self.rules),
        )

    def find(self, provider: str, models: Sequence[str]) -> OwnPrice | None:
        """Find the price of a model by any of its names: the first exact one, else the first pattern in the file."""
        names = [f"{provider}/{model}".lower() for model in models]
        exact = next((self._exact[name] for name in names if name in self._exact), None)
        return exact or next(
            (price for pattern, price in self._patterns if any(pattern.fullmatch(name) for name in names)), None
        )

    def discounts(self, provider: str, project: str) -> Schedule[tuple[Discount, ...]]:
        """Return the discounts on calls to a provider in a project, in the order of the file."""
        rules = [rule for rule in self.rules if _covers(rule.provider, provider) and _covers(rule.project, project)]
        return reduce(lambda found, rule: combine(found, _terms(rule), tuple.__add__), rules, NO_DISCOUNTS)

    def depends_on_project(self, project: str) -> bool:
        """Whether any discount names a project, and this one is meant."""
        return any(rule.project and _covers(rule.project, project) for rule in self.rules)


NO_DISCOUNTS: Schedule[tuple[Discount, ...]] = constant(())


def is_pattern(name: str) -> bool:
    """Whether a name stands for several: `*` is any text, slashes included, and `?` any character."""
    return "*" in name or "?" in name


def _by_name(entries: Iterable[Entry], label: str) -> dict[str, OwnPrice]:
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(f"{entry.provider}/{entry.model}".lower(), []).append(entry)
    return {
        name: OwnPrice(name, label, tuple(sorted(dated, key=lambda entry: entry.start or date.min)))
        for name, dated in grouped.items()
    }


@lru_cache(maxsize=1000)
def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(translate(name.lower().replace("[", "[[]")))


def _covers(wanted: str, name: str) -> bool:
    return not wanted or _pattern(wanted).fullmatch(name.lower()) is not None


def _terms(rule: DiscountRule) -> Schedule[tuple[Discount, ...]]:
    reasons = (rule.provider, f"project {rule.project}" if rule.project else "")
    discount = Discount(rule.percent, " in ".join(filter(None, reasons)))
    start_ns = _midnight_ns(rule.start) if rule.start else None
    return during((discount,), (), start_ns, _midnight_ns(rule.end) if rule.end else None)


def _midnight_ns(day: date) -> int:
    return (datetime.combine(day, time(0), UTC) - _EPOCH) // timedelta(days=1) * 86_400 * 1_000_000_000


NO_OWN_PRICES = OwnPrices()
