"""Which calls are priced again."""

from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any


class BadRequest(ValueError):
    """A request that cannot be understood; the message names the field and the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Calls that ended on some days, UTC, and what else they have in common. "" is any."""

    first: date
    last: date
    """Included."""
    provider: str = ""
    model: str = ""
    """The served model, else the requested one."""
    project: str = ""
    dry_run: bool = False
    """Only say what would change."""

    def condition(self) -> tuple[str, dict[str, object]]:
        """Return an SQL condition on stored calls, with its parameters."""
        conditions = ["ended_at >= {first:DateTime('UTC')}", "ended_at < {end:DateTime('UTC')}"]
        end = self.last + timedelta(days=1)
        parameters: dict[str, object] = {"first": _midnight(self.first), "end": _midnight(end)}
        for name in ("provider", "model", "project"):
            if value := getattr(self, name):
                conditions.append(f"{name} = {{{name}:String}}")
                parameters[name] = value
        return " AND ".join(conditions), parameters

    def as_json(self) -> dict[str, Any]:
        """Write the request as it is sent."""
        values = asdict(self)
        first, last = values.pop("first"), values.pop("last")
        return {"from": first.isoformat(), "to": last.isoformat(), **values}


def read_request(body: Any) -> Request:
    """Read a request as it is sent: `from` and `to` are ISO dates. Raises `BadRequest`."""
    if not isinstance(body, dict):
        raise BadRequest("the body is no JSON object")
    known = {"from", "to", *(field.name for field in fields(Request))} - {"first", "last"}
    if unknown := sorted(str(name) for name in body if name not in known):
        raise BadRequest(f"unknown field {unknown[0]!r}; there are {', '.join(sorted(known))}")
    first, last = _day(body, "from"), _day(body, "to")
    if first > last:
        raise BadRequest(f"from {first} is after to {last}")
    dry_run = body.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise BadRequest(f"dry_run={dry_run!r} is neither true nor false")
    texts = {name: _text(body, name) for name in ("provider", "model", "project")}
    return Request(first=first, last=last, dry_run=dry_run, **texts)


def _day(body: dict[str, Any], name: str) -> date:
    value = body.get(name)
    try:
        return date.fromisoformat(value)  # pyright: ignore[reportArgumentType] - a wrong type is a TypeError
    except (TypeError, ValueError) as error:
        raise BadRequest(f"{name}={value!r} is no date such as 2026-11-01") from error


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name) or ""
    if not isinstance(value, str):
        raise BadRequest(f"{name}={value!r} is no text")
    return value


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
