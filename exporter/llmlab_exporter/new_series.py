"""Which counters are shown at 0 for now.

`increase()` and `rate()` see how far a counter grew from its first sample on, so the first call of a new label set
would be missing from both. Therefore a new series is shown at 0 until Prometheus has surely scraped it, and only then
as it is. Nothing is lost by that: what was counted meanwhile shows afterwards.
"""

import time
from collections.abc import Callable, Iterable, Mapping

from llmlab_exporter.tally import Series

HOLD_S = 60.0
"""Two scrapes at the usual intervals of 15 and 30 seconds."""

Spender = tuple[str, ...]
"""The labels of a series without its outcome: a call costs what it costs, however it ended."""


class NewSeries:
    """Tells new series from old ones. For one thread at a time."""

    def __init__(self, hold_s: float, priced: Iterable[Spender], now_s: Callable[[], float] = time.time) -> None:
        """`priced` are those whose cost was known before this process began."""
        self._hold_s = hold_s
        self._now_s = now_s
        self._priced_since: dict[Spender, float] = dict.fromkeys(priced, 0.0)

    def held(self, created_at: Mapping[Series, int]) -> set[Series]:
        """Return the series that came into being (Unix seconds) too lately to be shown."""
        since_s = self._now_s() - self._hold_s
        return {series for series, created_s in created_at.items() if created_s > since_s}

    def held_costs(self, priced: Iterable[Spender]) -> set[Spender]:
        """Return those whose cost became known too lately, be their calls as old as they may."""
        now_s = self._now_s()
        for spender in priced:
            self._priced_since.setdefault(spender, now_s)
        return {spender for spender, since_s in self._priced_since.items() if since_s > now_s - self._hold_s}
