"""Turning an instrumentation off and on within one process, whoever wrote it.

Not every instrumentation can be removed, and removing one does more than the next call needs. So what it replaced in
the SDK is found by comparing, and exchanged.
"""

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, NamedTuple

_ABSENT: Any = object()


class _Patch(NamedTuple):
    owner: Any
    name: str
    off: Any
    on: Any


class Switch:
    """What an instrumentation replaced in the modules and classes of one package."""

    def __init__(self, package: str) -> None:
        """Take a picture; `package` has to be fully imported, and not instrumented yet."""
        self._before = [(owner, dict(vars(owner))) for owner in _owners(package)]
        self._patches: list[_Patch] = []

    def compare(self) -> int:
        """Find what was replaced since; returns how many attributes."""
        self._patches = [patch for owner, before in self._before for patch in _patches(owner, before)]
        return len(self._patches)

    def turn(self, *, on: bool) -> None:
        """Put the replacements in, or the originals back."""
        for owner, name, off, replacement in self._patches:
            value = replacement if on else off
            if value is not _ABSENT:
                setattr(owner, name, value)
            elif name in vars(owner):
                delattr(owner, name)


def _patches(owner: Any, before: dict[str, Any]) -> Iterable[_Patch]:
    for name, value in vars(owner).items():
        if name.startswith("__"):  # what Python and pydantic note on classes that somebody looked at
            continue
        replaced = name in before and before[name] is not value
        # A method that the class only inherited. New names in a module are submodules, imported meanwhile.
        added = name not in before and isinstance(owner, type)
        if replaced or added:
            yield _Patch(owner, name, before.get(name, _ABSENT), value)


def _owners(package: str) -> list[ModuleType | type]:
    modules = [module for name, module in sys.modules.items() if f"{name}.".startswith(f"{package}.")]
    # The type of a value, not `isinstance`: some of the SDK's module attributes are proxies that load on any question.
    classes = {
        value
        for module in modules
        for value in vars(module).values()
        if issubclass(type(value), type) and f"{value.__module__}.".startswith(f"{package}.")
    }
    return [*modules, *classes]
