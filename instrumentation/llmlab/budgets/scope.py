"""Which calls count towards a budget."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import lru_cache

_SNAPSHOT = re.compile(r"[-@](\d{3,4}|\d{8}|\d{4}-\d{2}-\d{2}|latest)")
"""What providers append to the name of a model for one version of it: `-2024-08-06`, `@20250514`, `-0613`, `-001`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a call must be to count: every field that is not "" must fit; a scope without any fits all calls.

    A value fits itself, whatever the case, and may hold `*` for any characters. A model fits its dated versions too:
    `gpt-4o` fits `gpt-4o-2024-08-06`, and not `gpt-4o-mini`.
    """

    org: str = ""
    project: str = ""
    team: str = ""
    service: str = ""
    environment: str = ""
    provider: str = ""
    """By the conventions' name: `openai`, `aws.bedrock`."""
    model: str = ""
    feature: str = ""
    user: str = ""
    run: str = ""
    api_key: str = ""

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Go through what the scope is limited to: names and values."""
        return ((name, value) for name in DIMENSIONS if (value := getattr(self, name)))

    def matches(self, call: Mapping[str, str]) -> bool:
        """Whether a call counts. What `call` does not say is ""."""
        return all(fits(name, value, call.get(name, "")) for name, value in self)


DIMENSIONS = tuple(field.name for field in fields(Scope))

EVERYTHING = Scope()


@lru_cache(maxsize=65_536)
def fits(dimension: str, wanted: str, found: str) -> bool:
    """Whether a value of a scope fits a value of a call."""
    wanted, found = wanted.casefold(), found.casefold()
    if wanted == found or ("*" in wanted and fnmatchcase(found, wanted.replace("[", "[[]").replace("?", "[?]"))):
        return True
    is_longer = dimension == "model" and found.startswith(wanted)
    return is_longer and _SNAPSHOT.fullmatch(found, len(wanted)) is not None
