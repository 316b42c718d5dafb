"""When which price of a model applies: its dates and times of day, turned into a `Schedule`.

The library decides by looking at one moment. Between two boundaries that any of a model's conditions names, the
answer cannot change, so it is asked once for each such window.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TimeOfDateConstraint

from llmlab.pricing.catalogue.compiling import CatalogueError
from llmlab.pricing.rate import Rate
from llmlab.pricing.schedule import Schedule

Variant = Mapping[str, str]
"""What selects a price variant, such as `{"service_tier": "priority"}`. Empty for the standard price."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Window(NamedTuple):
    """What applies in one window."""

    moment: datetime
    """Its first moment; for the first window any moment in it."""
    price: ModelPrice
    selected: frozenset[tuple[str, str]]
    """Which entries of the variant selected a price that applies now."""


def schedule(model: ModelInfo, variant: Variant, rate: Callable[[Window, str], Rate]) -> Schedule[Rate]:
    """Build the schedule of a model's rates.

    `rate` makes one from a window and the ISO date since when it is valid ("" for ever). Raises `CatalogueError` for a
    condition that is neither a date nor a time of day.
    """
    dates, times = _boundaries(model, variant)
    rows: list[list[Window]] = []
    epochs: list[date] = []
    for day in (None, *dates):
        row = [window_of(model, variant, _moment(day, dates, at)) for at in (time(0), *times)]
        if not rows or [window[1:] for window in row] != [window[1:] for window in rows[-1]]:
            rows.append(row)
            epochs.extend([day] if day else [])
    starts = ["", *(day.isoformat() for day in epochs)]
    return Schedule(
        epochs=tuple(_since_ns(datetime.combine(day, time(0), UTC), _EPOCH) for day in epochs),
        slots=tuple(_since_ns(datetime.combine(_EPOCH, at), _EPOCH) for at in times),
        values=tuple(tuple(rate(window, start) for window in row) for row, start in zip(rows, starts, strict=True)),
    )


def _boundaries(model: ModelInfo, variant: Variant) -> tuple[list[date], list[time]]:
    dates: set[date] = set()
    times: set[time] = set()
    for constraint in _constraints(model, variant):
        match constraint:
            case StartDateConstraint():
                dates.add(constraint.start_date)
            case TimeOfDateConstraint():
                times |= {_utc(constraint.start_time), _utc(constraint.end_time)}
            case None:
                pass
            case _:
                raise CatalogueError(f"{model.id} has a price under an unknown condition: {constraint!r}")
    return sorted(dates), sorted(times - {time(0, tzinfo=UTC)})


def _constraints(model: ModelInfo, variant: Variant) -> Iterator[object]:
    if not isinstance(model.prices, ModelPrice):
        yield from (price.constraint for price in model.prices)
    if variant:
        yield from (override.constraint for override in model.price_variants or ())


def _moment(day: date | None, dates: list[date], at: time) -> datetime:
    if day is None:
        day = dates[0] - timedelta(days=1) if dates else _EPOCH.date()
    return datetime.combine(day, at.replace(tzinfo=UTC))


def window_of(model: ModelInfo, variant: Variant, moment: datetime) -> Window:
    """Ask the library what applies at a moment."""
    active = [
        override
        for override in (model.price_variants or ())
        if override.when.items() <= variant.items()
        and (override.constraint is None or override.constraint.active(moment))
    ]
    selected = frozenset(entry for override in active for entry in override.when.items())
    return Window(moment, model.get_prices(moment, variant), selected)


def midnight(day: date) -> datetime:
    """Return the first moment of a day, in UTC."""
    return datetime.combine(day, time(0), UTC)


def _utc(at: time) -> time:
    """Return a time of day in UTC, which is what a naive one means to the library."""
    if at.tzinfo is None:
        return at.replace(tzinfo=UTC)
    return datetime.combine(_EPOCH, at).astimezone(UTC).timetz()


def _since_ns(moment: datetime, start: datetime) -> int:
    return (moment - start) // _MICROSECOND * 1000
