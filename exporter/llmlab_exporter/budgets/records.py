"""Budgets as JSON: as they are stored, and as the API shows and takes them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from llmlab.budgets import Budget, read_budget
from llmlab.money import plain
from llmlab_exporter.provider_names import ALIASES

MAX_BUDGETS = 1_000
"""Each has a dozen series in `/metrics`."""


def dump(budget: Budget) -> str:
    """Write a budget as `load` reads it."""
    return orjson.dumps(as_json(budget) | {"limit": plain(budget.limit_yocto)}).decode()


def load(document: str) -> Budget:
    """Read a stored budget. Raises `BadBudget` when a later version of LLMLab wrote what this one does not know."""
    return read_budget(orjson.loads(document))


def as_json(budget: Budget) -> dict[str, Any]:
    """Return what a budget is, without its amount."""
    return {
        "name": budget.name,
        "period": budget.period,
        "time_zone": budget.zone,
        "scope": dict(budget.scope),
        "thresholds": [number(threshold) for threshold in budget.thresholds],
    }


def number(value: Decimal) -> int | float:
    """Return a percentage as JSON writes it: 80, 99.5."""
    return int(value) if value == value.to_integral_value() else float(value)


def with_known_provider(budget: Budget) -> Budget:
    """Name the provider as calls do: who writes `google` means `gcp.gemini`."""
    said = budget.scope.provider
    return replace(budget, scope=replace(budget.scope, provider=ALIASES.get(said.lower(), said)))
