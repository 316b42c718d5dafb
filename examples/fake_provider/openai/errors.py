"""Failures on demand: a model of this name, or the header `x-fake-behaviour`, makes the call fail like the real API."""

from typing import Any

from starlette.responses import JSONResponse

from fake_provider.book import Exchange


def error_body(
    message: str, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """Build the JSON of an error."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


SERVER_ERROR = error_body(
    "The server had an error while processing your request. Sorry about that!", kind="server_error"
)

_RATE_LIMIT_HEADERS = {
    # The real API sends both: milliseconds, and the same in whole seconds.
    "retry-after": "1",
    "retry-after-ms": "20",
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-limit-tokens": "30000",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-remaining-tokens": "0",
    "x-ratelimit-reset-requests": "120ms",
    "x-ratelimit-reset-tokens": "20ms",
}

_FAILURES: dict[str, tuple[int, dict[str, Any], dict[str, str]]] = {
    "error-400": (
        400,
        error_body(
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 130001 tokens. "
            "Please reduce the length of the messages.",
            param="messages",
            code="context_length_exceeded",
        ),
        {},
    ),
    "error-401": (401, error_body("Incorrect API key provided: fake.", code="invalid_api_key"), {}),
    "error-429": (
        429,
        error_body(
            "Rate limit reached for error-429 on tokens per min (TPM): Limit 30000, Used 30000, Requested 10. "
            "Please try again in 20ms.",
            kind="tokens",
            code="rate_limit_exceeded",
        ),
        _RATE_LIMIT_HEADERS,
    ),
    "error-500": (500, SERVER_ERROR, {}),
}


def behaviour(exchange: Exchange, model: str) -> str:
    """Return how the call shall behave: `error-429`, `slow`, `truncated` ...; any other name means normally."""
    asked = exchange.headers.get("x-fake-behaviour", model)
    if asked == "flaky":  # fails first and serves the SDK's retry
        return "error-500" if exchange.headers.get("x-stainless-retry-count", "0") == "0" else ""
    return asked


def failure(name: str) -> JSONResponse | None:
    """Return the failure of that name, None when it names none."""
    if name not in _FAILURES:
        return None
    status, body, headers = _FAILURES[name]
    return JSONResponse(body, status, headers)


def refusal(message: str, param: str | None = None) -> JSONResponse:
    """Refuse a request that the real API would refuse too."""
    return JSONResponse(error_body(message, param=param), 400)
