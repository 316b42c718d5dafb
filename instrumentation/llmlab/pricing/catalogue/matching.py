"""The library's clauses, asked all at once.

genai-prices tries one clause after the other until one matches: up to 900 for a name that no model has. Most of them
compare whole names, which one look into a dictionary answers. Those for a part of a name are only tried where three of
its characters occur in the name; the few that are left are tried always.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from genai_prices.types import (
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    MatchLogic,
)

T = TypeVar("T")

Test = tuple[int, Callable[[str], object]]
"""The precedence of a clause, and whether a text in lower case matches it: anything true or false."""

_GRAM = 3
"""Characters of a clause's text that are looked for in a name before the clause itself is tried."""


class Matcher(Generic[T]):
    """Finds the first of many things whose clause a text matches. Immutable, so that threads may share it."""

    def __init__(self, clauses: Iterable[tuple[MatchLogic, T]]) -> None:
        """Compile clauses, by descending precedence, each with what it stands for."""
        pairs = list(clauses)
        leaves = [(number, leaf) for number, (clause, _) in enumerate(pairs) for leaf in _alternatives(clause)]
        self._things = [thing for _, thing in pairs]
        self._names: dict[str, int] = {}
        self._always: list[Test] = []
        self._by_gram: defaultdict[str, list[Test]] = defaultdict(list)
        frequency = Counter(gram for _, leaf in leaves for gram in _grams(_part(leaf)))
        for number, leaf in leaves:
            if isinstance(leaf, ClauseEquals):
                self._names.setdefault(leaf.equals.lower(), number)
            elif grams := _grams(_part(leaf)):
                rarest = min(grams, key=lambda gram: (frequency[gram], gram))
                self._by_gram[rarest].append((number, leaf.is_match))
            else:
                self._always.append((number, _test(leaf)))

    def find(self, text: str) -> T | None:
        """Find what a text, in lower case, stands for; None when no clause matches it."""
        named = self._names.get(text, len(self._things))
        for number, matches in self._candidates(text):
            if number >= named:
                break
            if matches(text):
                return self._things[number]
        return self._things[named] if named < len(self._things) else None

    def _candidates(self, text: str) -> list[Test]:
        """List the tests that the text may pass, by precedence."""
        hints = _grams(text) & self._by_gram.keys() if self._by_gram else ()
        if not hints:
            return self._always
        return sorted(
            (test for tests in (self._always, *(self._by_gram[gram] for gram in hints)) for test in tests),
            key=_precedence,
        )


def _precedence(test: Test) -> int:
    return test[0]


def _alternatives(clause: MatchLogic) -> Iterator[MatchLogic]:
    """Take a clause apart into those of which one has to match."""
    if isinstance(clause, ClauseOr):
        for each in clause.or_:
            yield from _alternatives(each)
    else:
        yield clause


def _part(clause: MatchLogic) -> str:
    """Return what a name must contain to match, "" where that is not known."""
    match clause:
        case ClauseStartsWith():
            return clause.starts_with.lower()
        case ClauseEndsWith():
            return clause.ends_with.lower()
        case ClauseContains():
            return clause.contains.lower()
        case _:
            return ""


def _grams(text: str) -> set[str]:
    return {text[start : start + _GRAM] for start in range(len(text) - _GRAM + 1)}


def _test(clause: MatchLogic) -> Callable[[str], object]:
    return re.compile(clause.regex).search if isinstance(clause, ClauseRegex) else clause.is_match
