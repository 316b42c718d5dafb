"""Prices calls: finds the rate for the names and the time of a call, and remembers what it found."""

import logging

from llmlab.pricing import Priced, Reason
from llmlab.pricing.book import PriceBook
from llmlab.pricing.catalogue import Catalogue, Unknown
from llmlab.pricing.catalogue.own_prices import NO_OWN_PRICES, OwnPrices
from llmlab.pricing.memory import Memory
from llmlab.pricing.rate import NoRate, Rate
from llmlab.pricing.schedule import Schedule, constant
from llmlab.usage import Usage, contradictions

_log = logging.getLogger(__name__)

Key = tuple[str, tuple[str, ...], str, bool, str, str]
"""Provider, models, tier, batch, the project where it matters, and the deployment."""

Rates = Schedule[Rate | NoRate]

KNOWN = 10_000
UNKNOWN = 10_000
"""How many different names are remembered. More of them are looked up again, which takes 15 to 70 us."""

HINTS = 200
"""For how many unknown names the nearest known ones are looked for, which takes up to 10 ms."""

MAX_KEY = 1000
"""Characters in the names of a call that is remembered."""


class _Memo:
    """What was found in one book of prices. The unknown are kept apart, so that a flood of them crowds nothing out."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book
        self.has_project_discounts = any(rule.project for rule in book.own.rules)
        self.known: Memory[Key, Rates] = Memory(KNOWN)
        self.unknown: Memory[Key, Rates] = Memory(UNKNOWN)
        self._hints_left = HINTS

    def resolve(self, key: Key) -> Rates:
        """Look names up and remember what comes of it, also that nothing does."""
        provider, models, tier, batch, project, deployment = key
        try:
            found = self.book.find(provider, models, tier=tier, batch=batch, project=project, deployment=deployment)
            if not isinstance(found, Unknown):
                return self._remember(self.known, key, found.rates)
            miss = self._none(found.reason, found.detail + self._hint(provider, models))
        except Exception as error:  # noqa: BLE001 - logged, and once for each name: it will not go away
            miss = self.failed(key, error)
        return self._remember(self.unknown, key, constant(NoRate(miss)))

    def without_usage(self, key: Key, usage: Usage, at_ns: int) -> Priced:
        """Price a call of which nobody reported what it consumed, as far as that does not matter."""
        if flaws := contradictions(usage):
            return self._none("contradiction", "; ".join(flaws))
        rate = (self.known.get(key) or self.unknown.get(key) or self.resolve(key)).at(at_ns)
        if isinstance(rate, Rate) and rate.is_flat:
            return rate.price(usage)
        model = next(filter(None, key[1]), "the model")
        return self._none("no_usage", f"nobody reported what {model:.200} at {key[0] or 'the provider':.200} consumed")

    def failed(self, key: Key, error: Exception) -> Priced:
        """Log a bug or a broken price list, and say that there is no cost for it."""
        _log.error("cannot price %.200r at %.200r", key[1], key[0], exc_info=error)
        return self._none("catalogue_error", f"{type(error).__name__}: {error}")

    def _remember(self, memory: "Memory[Key, Rates]", key: Key, value: Rates) -> Rates:
        provider, models, tier, _, project, deployment = key
        if len(provider) + len(tier) + len(project) + len(deployment) + sum(map(len, models)) <= MAX_KEY:
            memory.put(key, value)
        return value

    def _hint(self, provider: str, models: tuple[str, ...]) -> str:
        """Name the nearest known names, as long as there are not too many unknown ones."""
        if self._hints_left <= 0 or not (named := next(filter(None, models), "")):
            return ""
        self._hints_left -= 1
        nearest = self.book.catalogue.nearest(provider, named)
        return f"; nearest: {', '.join(nearest)}" if nearest else ""

    def _none(self, reason: Reason, detail: str) -> Priced:
        return Priced(None, "none", reason, detail, self.book.catalogue.label)


class Pricer:
    """Prices calls by a book of prices, which may be exchanged at any time. Threads may share it."""

    def __init__(self, catalogue: Catalogue | None = None, own: OwnPrices = NO_OWN_PRICES) -> None:
        self._memory = _Memo(PriceBook(catalogue, own))

    @property
    def book(self) -> PriceBook:
        """The book that calls are priced by now."""
        return self._memory.book

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue that calls are priced by now."""
        return self._memory.book.catalogue

    def use(self, book: PriceBook) -> None:
        """Price all further calls by another book. A call that is being priced keeps the one it began with."""
        self._memory = _Memo(book)

    def price(
        self,
        provider: str,
        models: tuple[str, ...],
        usage: Usage,
        at_ns: int,
        *,
        tier: str = "",
        batch: bool = False,
        project: str = "",
        deployment: str = "",
    ) -> Priced:
        """Price one call.

        `models` are candidates in order of preference, the served one first; "" is none. `at_ns` is the moment of the
        call in Unix nanoseconds, `tier` the service tier as the provider says it; `project` matters where a discount
        names it. `deployment` is a name of the user's own for whatever served, which only the user's file may know; it
        counts when none of the models is known. Never raises: what cannot be priced has no cost, and a reason.
        """
        memory = self._memory  # one book for all of this call
        if project and memory.has_project_discounts:
            project = project if memory.book.own.depends_on_project(project) else ""
        else:
            project = ""
        key = (provider, models, tier, batch, project, deployment)
        try:
            if usage.input is None and not usage.known:
                return memory.without_usage(key, usage, at_ns)
            found = memory.known.get(key) or memory.unknown.get(key) or memory.resolve(key)
            return found.at(at_ns).price(usage)
        except Exception as error:  # noqa: BLE001 - logged: a bug in pricing must not cost the record of the call
            return memory.failed(key, error)
