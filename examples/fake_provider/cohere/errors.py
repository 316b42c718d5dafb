"""Failures on demand: a model of this name, or the header `x-fake-behaviour`, makes the call fail like the real API."""

from starlette.responses import JSONResponse

from fake_provider.book import Exchange

_FAILURES = {
    "error-400": (400, "invalid request: too many tokens"),
    "error-401": (401, "invalid api token"),
    "error-429": (429, "You are using a Trial key, which is limited to 20 API calls / minute."),
    "error-500": (500, "internal server error"),
}


def behaviour(exchange: Exchange, model: str) -> str:
    """Return how the call shall behave: `error-429`, `slow`, `truncated` ...; any other name means normally."""
    return exchange.headers.get("x-fake-behaviour", model)


def failure(name: str) -> JSONResponse | None:
    """Return the failure of that name, None when it names none."""
    if name not in _FAILURES:
        return None
    status, message = _FAILURES[name]
    headers = {"retry-after": "0"} if status == 429 else None
    return JSONResponse({"id": "00000000-0000-0000-0000-000000000000", "message": message}, status, headers)
