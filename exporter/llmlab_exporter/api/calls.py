"""`GET /api/calls` lists calls; `GET /api/calls/{trace_id}/{span_id}` shows one, with all that its cost rests on."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from llmlab.money import yocto
from llmlab.usage import Usage
from llmlab_exporter.api.exact_json import ExactJSON, bad_request, money
from llmlab_exporter.api.sampling import one_in
from llmlab_exporter.rates import Part, parts
from llmlab_exporter.rows import usage_column
from llmlab_exporter.store import calls
from llmlab_exporter.store.calls import Position, Wanted
from llmlab_exporter.store.store import Store

MAX_LIMIT = 1000
_EQUAL = {
    "org": "org",
    "project": "project",
    "service": "service_name",
    "environment": "environment",
    "provider": "provider",
    "model": "model",
    "feature": "feature",
    "user": "user_id",
    "run": "run_id",
}
"""Parameters and the columns that they select by."""
_PARAMETERS = (*_EQUAL, "from", "to", "trace_id", "unpriced", "duplicates", "limit", "cursor")
_HINT = "ask like this: /api/calls?model=gpt-5-mini&from=2026-11-01&limit=50"
_TOKENS_PER_PRICE = 1_000_000


def routes(store: Callable[[], Store | None]) -> list[Route]:
    """Return the routes. `store` is the open store, None while it is away."""

    async def latest(request: Request) -> Response:
        try:
            wanted, limit = _wanted(request.query_params)
        except ValueError as error:
            return bad_request(str(error), _HINT)
        opened = store()
        if opened is None:
            return _away()
        try:
            found = await run_in_threadpool(calls.latest, opened, wanted, limit + 1)
        except calls.TooLong as error:
            return bad_request(str(error), "narrow it down with from and to")
        page = found[:limit]
        cursor = _cursor(page[-1]) if len(found) > limit else None
        return ExactJSON({"calls": [_brief(call) for call in page], "next_cursor": cursor})

    async def show(request: Request) -> Response:
        try:
            trace_id = _id(request.path_params["trace_id"], 16)
            span_id = _id(request.path_params["span_id"], 8)
        except ValueError as error:
            return bad_request(str(error), "ids are hexadecimal, as /api/calls lists them")
        opened = store()
        if opened is None:
            return _away()
        found = await run_in_threadpool(calls.find, opened, trace_id, span_id)
        if not found:
            hint = "calls are stored half a second after they are acknowledged; /readyz says how many wait"
            return ExactJSON({"error": "there is no such call", "hint": hint}, status_code=404)
        earlier = await run_in_threadpool(calls.earlier_versions, opened, found[0])
        return ExactJSON(_full(found[0], earlier))

    return [Route("/api/calls", latest), Route("/api/calls/{trace_id}/{span_id}", show)]


def _wanted(query: Mapping[str, str]) -> tuple[Wanted, int]:
    for name in query:
        if name not in _PARAMETERS:
            raise ValueError(f"unknown parameter {name!r}; there are {', '.join(_PARAMETERS)}")
    limit = query.get("limit", "50")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= MAX_LIMIT:
        raise ValueError(f"limit={limit!r} is not a number from 1 to {MAX_LIMIT}")
    wanted = Wanted(
        equal={column: query[name] for name, column in _EQUAL.items() if name in query},
        since=_moment(query, "from"),
        until=_moment(query, "to"),
        trace_id=_id(query["trace_id"], 16) if "trace_id" in query else b"",
        unpriced=_truth(query, "unpriced") or False,
        duplicates=_truth(query, "duplicates"),
        behind=_position(query["cursor"]) if "cursor" in query else None,
    )
    return wanted, int(limit)


def _truth(query: Mapping[str, str], name: str) -> bool | None:
    """Return a parameter that is true or false; None when it was not given."""
    given = query.get(name)
    if given not in {None, "true", "false"}:
        raise ValueError(f"{name}={given!r} is neither true nor false")
    return None if given is None else given == "true"


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    if name not in query:
        return None
    text = query[name].replace(" ", "+")  # a plus sign in a query string is a space
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{name}={query[name]!r} is no ISO date or time") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 1970 <= moment.year <= 2200:
        raise ValueError(f"{name}={query[name]!r} is not between 1970 and 2200")
    return moment


def _id(text: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size:
        raise ValueError(f"{text!r} is not {2 * size} hexadecimal digits")
    return value


def _cursor(call: Mapping[str, Any]) -> str:
    return f"{call['started_at']}-{call['trace_id'].hex()}-{call['span_id'].hex()}"


def _position(cursor: str) -> Position:
    try:
        started_ns, trace_id, span_id = cursor.split("-")
        return Position(int(started_ns), _id(trace_id, 16), _id(span_id, 8))
    except ValueError as error:
        raise ValueError(f"cursor={cursor!r} is none of ours") from error


def _away() -> Response:
    return ExactJSON(
        {"error": "the store is not open", "hint": "/readyz says why; try again in a second"},
        status_code=503,
        headers={"retry-after": "1"},
    )


def _brief(call: Mapping[str, Any]) -> dict[str, Any]:
    """Write what a list says of a call."""
    return {
        "trace_id": call["trace_id"].hex(),
        "span_id": call["span_id"].hex(),
        "started_at": _time(call["started_at"]),
        "duration_ms": round((call["ended_at"] - call["started_at"]) / 1e6, 3),
        "provider": call["provider"] or None,
        "model": call["model"] or None,
        "operation": call["operation"] or None,
        "outcome": call["outcome"],
        "service": call["service_name"] or None,
        "project": call["project"],
        "feature": call["feature"] or None,
        "user": call["user_id"] or None,
        "run": call["run_id"] or None,
        "input_tokens": call["input_tokens"],
        "output_tokens": call["output_tokens"],
        "billable": call["billable"],
        **_repetition(call),
        **_provenance(call),
        "version": call["version"],
        "change_id": call["change_id"] or None,
    }


def _repetition(call: Mapping[str, Any]) -> dict[str, Any]:
    """Say which span is billed instead of this one, and by which rule that was found."""
    duplicate_of: bytes | None = call["duplicate_of"]
    return {
        "duplicate_of": duplicate_of.hex() if duplicate_of else None,
        "duplicate_reason": call["duplicate_reason"] or None,
    }


def _provenance(call: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "cost": _amount(call["cost_usd"]),
        "cost_source": call["cost_source"],
        "cost_reason": call["cost_reason"] or None,
        "catalogue": call["catalogue"] or None,
        "price_provider": call["price_provider"] or None,
        "price_model": call["price_model"] or None,
        "rate_start": call["rate_start"] or None,
        "discount": call["discount"] or None,
    }


def _full(call: Mapping[str, Any], earlier: list[dict[str, Any]]) -> dict[str, Any]:
    """Write all that is known of a call."""
    usage = Usage._make(call[usage_column(field)] for field in Usage._fields)
    return _brief(call) | {
        "ended_at": _time(call["ended_at"]),
        "parent_span_id": call["parent_span_id"].hex() if any(call["parent_span_id"]) else None,
        "org": call["org"],
        "environment": call["environment"] or None,
        "session": call["session_id"] or None,
        "dialect": call["dialect"],
        "request_model": call["request_model"] or None,
        "response_model": call["response_model"] or None,
        "response_id": call["response_id"] or None,
        "tier": call["tier"] or None,
        "batch": call["batch"],
        "stream": call["stream"],
        "finish_reason": call["finish_reason"] or None,
        "error_type": call["error_type"] or None,
        "flaws": call["flaws"] or None,
        "sampled_one_in": one_in(call["sampling_threshold"]),
        "usage": {name: count for name, count in usage._asdict().items() if count is not None},
        "usage_source": call["usage_source"] or None,
        "cost_detail": call["cost_detail"] or None,
        "computed_cost": _computed(call),
        "provider_cost": _amount(call["provider_cost_usd"]),
        "provider_cost_difference": _difference(call),
        "claimed_cost": _amount(call["claimed_cost_usd"]),
        "cost_parts": [_part(part) for part in parts(call["rate"], usage)],
        "rate": call["rate"] or None,
        "earlier_versions": [_earlier(version) for version in earlier],
    }


def _computed(call: Mapping[str, Any]) -> Any:
    """Return what the catalogue makes of the call, also where the provider's own word is the cost."""
    return _amount(call["computed_cost_usd"] if call["cost_source"] == "provider" else call["cost_usd"])


def _difference(call: Mapping[str, Any]) -> Any:
    """Return how much more the provider says than we compute."""
    said, computed = call["provider_cost_usd"], call["computed_cost_usd"]
    return None if said is None or computed is None else money(yocto(said) - yocto(computed))


def _part(part: Part) -> dict[str, Any]:
    price = None if part.unit_yocto is None else money(part.unit_yocto * _TOKENS_PER_PRICE)
    return {"part": part.name, "quantity": part.quantity, "usd_per_million": price, "cost": money(part.cost_yocto)}


def _earlier(version: Mapping[str, Any]) -> dict[str, Any]:
    return {"billable": version["billable"], **_repetition(version), **_provenance(version)} | {
        "version": version["version"],
        "change_id": version["change_id"] or None,
        "replaced_by": version["replaced_by"],
        "replaced_because": version["reason"],
        "replaced_at": version["replaced_at"].replace(tzinfo=UTC).isoformat().replace("+00:00", "Z"),
    }


def _amount(amount: Decimal | None) -> Any:
    return None if amount is None else money(yocto(amount))


def _time(unix_ns: int) -> str:
    seconds, fraction = divmod(unix_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"
