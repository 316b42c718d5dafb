"""Which model answers when a name is asked for."""

import re

DATED = {
    "gpt-3.5-turbo": "gpt-3.5-turbo-0125",
    "gpt-4": "gpt-4-0613",
    "gpt-4-turbo": "gpt-4-turbo-2024-04-09",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "o1": "o1-2024-12-17",
    "o3": "o3-2025-04-16",
    "o3-mini": "o3-mini-2025-01-31",
    "o4-mini": "o4-mini-2025-04-16",
}
"""Aliases and the snapshots they point at."""

_LONGEST_FIRST = sorted(DATED, key=len, reverse=True)
_REASONS = re.compile(r"(gpt-5|o\d)(-|$)")


def served(asked: str) -> str:
    """Return the model that the response names: the dated snapshot of an alias, anything else as asked."""
    return DATED.get(asked, asked)


def deployed(deployment: str) -> str:
    """Return the model behind an Azure deployment, which people name freely: `prod-gpt-4o-mini`."""
    return next((DATED[alias] for alias in _LONGEST_FIRST if alias in deployment), deployment)


def reasons(model: str) -> bool:
    """Say whether the model thinks before it answers, and bills its thoughts."""
    return _REASONS.match(model) is not None
