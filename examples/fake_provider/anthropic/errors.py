"""Failures on demand, in the words of Anthropic's API: a model of this name, or the header `x-fake-behaviour`."""

from typing import Any

from starlette.responses import JSONResponse


def error_body(kind: str, message: str) -> dict[str, Any]:
    """Build the JSON of an error."""
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CfakeFakeFake"}


OVERLOADED = error_body("overloaded_error", "Overloaded")

_FAILURES: dict[str, tuple[int, dict[str, Any], dict[str, str]]] = {
    "error-400": (400, error_body("invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"), {}),
    "error-401": (401, error_body("authentication_error", "invalid x-api-key"), {}),
    "error-429": (
        429,
        error_body("rate_limit_error", "This request would exceed your organization's rate limit of 50 per minute."),
        {"retry-after": "1", "retry-after-ms": "20", "anthropic-ratelimit-requests-remaining": "0"},
    ),
    "error-500": (500, error_body("api_error", "Internal server error"), {"retry-after-ms": "20"}),
    "error-529": (529, OVERLOADED, {"retry-after-ms": "20"}),
}


def failure(name: str) -> JSONResponse | None:
    """Return the failure of that name, None when it names none."""
    if name not in _FAILURES:
        return None
    status, body, headers = _FAILURES[name]
    return JSONResponse(body, status, headers)


def refusal(message: str) -> JSONResponse:
    """Refuse a request that the real API would refuse too."""
    return JSONResponse(error_body("invalid_request_error", message), 400)
