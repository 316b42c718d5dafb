"""Failures on demand: a model of this name, or the header `x-fake-behaviour`, makes the call fail like the real API."""

from typing import Any

from starlette.responses import JSONResponse

from fake_provider.book import Exchange


def error_body(code: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """Build the JSON of an error."""
    error: dict[str, Any] = {"code": code, "message": message, "status": status}
    return {"error": error | {"details": list(details)} if details else error}


_RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}
_FAILURES = {
    "error-400": error_body(
        400, "INVALID_ARGUMENT", "The input token count exceeds the maximum number of tokens allowed."
    ),
    "error-401": error_body(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "error-429": error_body(
        429, "RESOURCE_EXHAUSTED", "You exceeded your current quota. Please retry in 1s.", _RETRY_INFO
    ),
    "error-500": error_body(500, "INTERNAL", "An internal error has occurred."),
}
SERVER_ERROR = _FAILURES["error-500"]


def behaviour(exchange: Exchange, model: str) -> str:
    """Return how the call shall behave: `error-429`, `slow`, `truncated` ...; any other name means normally."""
    return exchange.headers.get("x-fake-behaviour", model)


def failure(name: str) -> JSONResponse | None:
    """Return the failure of that name, None when it names none."""
    body = _FAILURES.get(name)
    if body is None:
        return None
    headers = {"retry-after": "1"} if name == "error-429" else None
    return JSONResponse(body, body["error"]["code"], headers)


def refusal(message: str) -> JSONResponse:
    """Refuse a request that the real API would refuse too."""
    return JSONResponse(error_body(400, "INVALID_ARGUMENT", message), 400)


def not_found(path: str) -> JSONResponse:
    """Answer for a method that there is not."""
    return JSONResponse(error_body(404, "NOT_FOUND", f"{path} is not found."), 404)
