"""Finds providers and models in a snapshot of genai-prices, and names that come close to those it lacks.

The library's own lookup remembers every name it ever saw, the unknown ones too, so that made-up model names would fill
the memory. Here nothing is remembered: `llmlab.pricing.pricer` does that, within bounds.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property
from typing import NamedTuple

from genai_prices.data_snapshot import DataSnapshot, find_provider_by_id
from genai_prices.types import ModelInfo, Provider

from llmlab.pricing import Reason
from llmlab.pricing.names import billed_by_time, price_list

MAX_NAME = 200
"""Characters. No provider has a longer model name, and looking for one is not free."""


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

    def find(self, provider: str, models: Sequence[str]) -> Listing | Unknown:
        """Find the first model that is known. Without a provider, its family decides, such as OpenAI for `gpt-4o`."""
        names = [name for name in dict.fromkeys(models) if name]
        if not names:
            return Unknown("unknown_model", "no model was named")
        known = [name for name in names if len(name) <= MAX_NAME]
        match price_list(provider):
            case "":
                return self._by_family(known) or self._without_provider(names)
            case "huggingface":
                return self._behind_router(known) or self._unknown(provider, names)
            case "litellm":
                return self._behind_proxy(known) or self._by_family(known) or self._without_provider(names)
            case _:
                return self._at_provider(provider, known) or self._unknown(provider, names)

    def nearest(self, provider: str, model: str, limit: int = 3) -> list[str]:
        """List known names like these, as `provider/model`: similar ones at the provider, else the same model
        elsewhere, else similar ones anywhere.

        Takes up to 10 ms.
        """
        if len(provider) > MAX_NAME or len(model) > MAX_NAME:
            return []
        found = self._provider(provider)
        close = get_close_matches(model.lower(), self._names_at(found), limit) if found else []
        if found and close:
            return [f"{found.id}/{name}" for name in close]
        wanted = f"{price_list(provider)}/{model.lower()}"
        elsewhere = self._holders.get(model.lower(), [])
        return get_close_matches(wanted, elsewhere, limit, cutoff=0) or get_close_matches(wanted, self._names, limit)

    def _at_provider(self, provider: str, models: Sequence[str]) -> Listing | None:
        found = self._provider(provider)
        if found is None:
            return None
        on_demand = [name for name in models if not billed_by_time(name)]
        return next((listing for name in on_demand if (listing := self._spelled(found, name))), None)

    def _spelled(self, provider: Provider, name: str) -> Listing | None:
        """Find a name as it is, else without what may stand before it."""
        spellings = (name, *self._bare(provider, name))
        return next((listing for spelling in spellings if (listing := self._listing(provider, spelling))), None)

    def _bare(self, provider: Provider, name: str) -> Iterator[str]:
        """Take off the provider, as LiteLLM writes it (`bedrock/converse/...`), and the path of a resource, as Google
        does (`models/...`, `projects/.../publishers/google/models/...`)."""
        prefix, slash, rest = name.partition("/")
        if slash and self._provider(prefix) is provider:
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
        families = ((self._family(name), name) for name in models)
        return next((listing for family, name in families if family and (listing := self._listing(family, name))), None)

    def _family(self, model: str) -> Provider | None:
        name = model.lower()
        return next(
            (known for known in self._providers if known.model_match and known.model_match.is_match(name)), None
        )

    def _listing(self, provider: Provider, name: str) -> Listing | None:
        model = provider.find_model(name, all_providers=self._providers)
        return Listing(provider, self._owner(provider, model), model) if model else None

    def _owner(self, provider: Provider, model: ModelInfo) -> Provider:
        if any(model is own for own in provider.models):
            return provider
        return next(other for other in self._providers if any(model is theirs for theirs in other.models))

    def _names_at(self, provider: Provider) -> list[str]:
        lists = {provider.id, *(provider.fallback_model_providers or ())}
        return [model.id for listed in self._providers if listed.id in lists for model in listed.models]

    def _provider(self, name: str) -> Provider | None:
        known = price_list(name)
        return find_provider_by_id(self._providers, known) if 0 < len(known) <= MAX_NAME else None

    def _without_provider(self, models: Sequence[str]) -> Unknown:
        known = f"{self._label} knows no family of {_quoted(models)}"
        return Unknown("unknown_provider", f"no provider was named, and {known}")

    def _unknown(self, provider: str, models: Sequence[str]) -> Unknown:
        found = self._provider(provider)
        if found is None:
            asked = f"provider {_quoted([provider])}, asked for model {_quoted(models)}"
            return Unknown("unknown_provider", f"{self._label} has no {asked}")
        return Unknown("unknown_model", f"{self._label} has no model {_quoted(models)} at {found.id}")

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


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name if len(name) <= 80 else f"{name[:80]}...") for name in names[:4])
