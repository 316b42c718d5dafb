"""Finds providers and models in a snapshot of genai-prices, and names that come close to those it lacks.

The library's own lookup remembers every name it ever saw, the unknown ones too, so that made-up model names would fill
the memory, and it takes milliseconds for one that it lacks. Here names are found in microseconds (`matching.py`) and
nothing is remembered: `llmlab.pricing.pricer` does that, within bounds.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from difflib import get_close_matches
from functools import cached_property
from typing import NamedTuple

from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import MatchLogic, ModelInfo, Provider

from llmlab.pricing import Reason
from llmlab.pricing.catalogue.matching import Matcher
from llmlab.pricing.names import billed_by_time, price_list

MAX_NAME = 200
"""Characters. No provider has a longer model name, and looking for one is not free."""


_COMPACT_DATE = re.compile(r"-(20\d\d)(\d\d)(\d\d)(?=[-:]|$)", re.ASCII)


class Listing(NamedTuple):
    """A model in the catalogue."""

    provider: Provider
    """Who serves it."""
    owner: Provider
    """Whose price list it stands in: Azure's models may stand in OpenAI's."""
    model: ModelInfo


class Unknown(NamedTuple):
    """Why there is no listing."""

    reason: Reason
    detail: str


class Lookup:
    """Finds listings by the names that telemetry uses."""

    def __init__(self, snapshot: DataSnapshot, label: str) -> None:
        """`label` is what to call the catalogue in messages."""
        self._providers = snapshot.providers
        self._label = label
        self._by_id = {provider.id: provider for provider in reversed(snapshot.providers)}
        self._aliases = Matcher((each.provider_match, each) for each in snapshot.providers if each.provider_match)
        self._families = Matcher((each.model_match, each) for each in snapshot.providers if each.model_match)
        self._models = {provider.id: Matcher(self._offers(provider)) for provider in self._by_id.values()}

    def find(self, provider: str, models: Sequence[str]) -> Listing | Unknown:
        """Find the first model that is known. Without a provider, its family decides, such as OpenAI for `gpt-4o`."""
        return self.listing(provider, models) or self.unknown(provider, models)

    def listing(self, provider: str, models: Sequence[str]) -> Listing | None:
        """Find the first model that is known, None when none is."""
        names = [name for name in dict.fromkeys(models) if 0 < len(name) <= MAX_NAME]
        match price_list(provider):
            case "":
                return self._by_family(names)
            case "huggingface":
                return self._behind_router(names)
            case "litellm":
                return self._behind_proxy(names) or self._by_family(names)
            case _:
                return self._at_provider(provider, names)

    def unknown(self, provider: str, models: Sequence[str]) -> Unknown:
        """Say of models that were not found why they were not."""
        names = [name for name in dict.fromkeys(models) if name]
        if not names:
            return Unknown("unknown_model", "no model was named")
        if price_list(provider) in {"", "litellm"}:
            return Unknown(
                "unknown_provider", f"no provider was named, and {self._label} knows no family of {_quoted(names)}"
            )
        found = self.provider(provider)
        if found is None:
            asked = f"provider {_quoted([provider])}, asked for model {_quoted(names)}"
            return Unknown("unknown_provider", f"{self._label} has no {asked}")
        return Unknown("unknown_model", f"{self._label} has no model {_quoted(names)} at {found.id}")

    def provider(self, name: str) -> Provider | None:
        """Find a provider by a name that telemetry uses."""
        known = price_list(name)
        if not 0 < len(known) <= MAX_NAME:
            return None
        return self._by_id.get(known) or self._aliases.find(known)

    def offered(self, provider: Provider, name: str) -> Listing | None:
        """Find what a provider offers under a name, spelled as the library understands it."""
        models = self._models[provider.id]
        wanted = name.lower()
        return models.find(wanted) or (models.find(dashed) if (dashed := _dashed(wanted)) != wanted else None)

    def nearest(self, provider: str, model: str, limit: int = 3) -> list[str]:
        """List known names like these, as `provider/model`: similar ones at the provider, else the same model
        elsewhere, else similar ones anywhere.

        Takes up to 10 ms.
        """
        if len(provider) > MAX_NAME or len(model) > MAX_NAME:
            return []
        found = self.provider(provider)
        close = get_close_matches(model.lower(), self._names_at(found), limit) if found else []
        if found and close:
            return [f"{found.id}/{name}" for name in close]
        wanted = f"{price_list(provider)}/{model.lower()}"
        elsewhere = self._holders.get(model.lower(), [])
        return get_close_matches(wanted, elsewhere, limit, cutoff=0) or get_close_matches(wanted, self._names, limit)

    def _at_provider(self, provider: str, models: Sequence[str]) -> Listing | None:
        found = self.provider(provider)
        if found is None:
            return None
        on_demand = [name for name in models if not billed_by_time(name)]
        return next((listing for name in on_demand if (listing := self._spelled(found, name))), None)

    def _spelled(self, provider: Provider, name: str) -> Listing | None:
        """Find a name as it is, else without what may stand before it."""
        spellings = (name, *self._bare(provider, name))
        return next((listing for spelling in spellings if (listing := self.offered(provider, spelling))), None)

    def _bare(self, provider: Provider, name: str) -> Iterator[str]:
        """Take off the provider, as LiteLLM writes it (`bedrock/converse/...`), and the path of a resource, as Google
        does (`models/...`, `projects/.../publishers/google/models/...`)."""
        prefix, slash, rest = name.partition("/")
        if slash and self.provider(prefix) is provider:
            yield rest.removeprefix("converse/")
        _, found, resource = f"/{name}".rpartition("/models/")
        if found:
            yield resource

    def _behind_router(self, models: Sequence[str]) -> Listing | None:
        """Read `model:provider`, Hugging Face's way to choose who serves a model. Without it, nobody knows."""
        parts = (name.rpartition(":") for name in models)
        return next(
            (found for name, _, by in parts if name and (found := self._at_provider(f"huggingface_{by}", [name]))), None
        )

    def _behind_proxy(self, models: Sequence[str]) -> Listing | None:
        """Read `provider/model`, LiteLLM's way to name a model."""
        parts = (name.partition("/") for name in models)
        return next((listing for prefix, _, name in parts if (listing := self._at_provider(prefix, [name]))), None)

    def _by_family(self, models: Sequence[str]) -> Listing | None:
        families = ((self._families.find(name.lower()), name) for name in models)
        return next((listing for family, name in families if family and (listing := self.offered(family, name))), None)

    def _offers(self, provider: Provider) -> Iterator[tuple[MatchLogic, Listing]]:
        """List what a provider serves, by precedence: its own models, then those of the lists it falls back to."""
        fallbacks = (self._by_id.get(name) for name in provider.fallback_model_providers or ())
        for owner in (provider, *filter(None, fallbacks)):
            for model in owner.models:
                yield model.match, Listing(provider, owner, model)

    def _names_at(self, provider: Provider) -> list[str]:
        lists = {provider.id, *(provider.fallback_model_providers or ())}
        return [model.id for listed in self._providers if listed.id in lists for model in listed.models]

    @cached_property
    def _holders(self) -> dict[str, list[str]]:
        holders: defaultdict[str, list[str]] = defaultdict(list)
        for provider in self._providers:
            for model in provider.models:
                holders[model.id.lower()].append(f"{provider.id}/{model.id}")
        return dict(holders)

    @cached_property
    def _names(self) -> list[str]:
        return [name for names in self._holders.values() for name in names]


def _dashed(name: str) -> str:
    """Write the date in a name as the catalogue does, `-2025-12-11` for `-20251211`: the library tries that too."""
    return _COMPACT_DATE.sub(_date_with_dashes, name)


def _date_with_dashes(found: re.Match[str]) -> str:
    year, month, day = found.groups()
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return found[0]
    return f"-{year}-{month}-{day}"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name if len(name) <= 80 else f"{name[:80]}...") for name in names[:4])
