"""The exporter's HTTP API, as far as applications need it. Plain `urllib`: applications get no HTTP library from us."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

TIMEOUT_S = 5.0
_MAX_ANSWER_BYTES = 1 << 20


class Unreachable(Exception):
    """Nobody answers, or somebody is too busy: the same request may succeed later."""


class Refused(Exception):
    """The exporter does not take the request, and never will."""


class ExporterApi:
    """One exporter and how to ask it."""

    def __init__(self, endpoint: str, api_key: str | None = None) -> None:
        """Raise ValueError when the endpoint is no URL like `http://127.0.0.1:4318`."""
        parts = urlsplit(endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"endpoint {endpoint!r} is no URL; write it like http://127.0.0.1:4318")
        self.endpoint = endpoint.rstrip("/")
        self.headers = {"authorization": f"Bearer {api_key}"} if api_key else {}

    def track(self, event: Mapping[str, Any]) -> None:
        """Post one call. Raises `Unreachable` or `Refused`."""
        self._ask("/api/events/track", json.dumps(event).encode())

    def recommendations(self) -> list[dict[str, Any]]:
        """Fetch the cost-saving tips. Raises `Unreachable` or `Refused`."""
        answer = self._ask("/api/recommendations")
        if not isinstance(answer, list):
            raise Refused(f"{self.endpoint}/api/recommendations answers with no list")
        return answer

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        headers = {**self.headers, "content-type": "application/json"}
        request = Request(self.endpoint + path, body, headers)  # noqa: S310 - http or https, checked above
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
                return json.loads(answer.read(_MAX_ANSWER_BYTES))
        except HTTPError as error:
            said = error.read(_MAX_ANSWER_BYTES).decode(errors="replace")
            kind = Unreachable if error.code in {429, 502, 503, 504} else Refused
            raise kind(f"{request.full_url} answers {error.code}: {said}") from error
        except (URLError, OSError) as error:
            raise Unreachable(f"no exporter answers at {self.endpoint}: {error}") from error
        except ValueError as error:
            raise Refused(f"{request.full_url} answers with no JSON") from error
