"""Starts, watches and cancels a repricing in an exporter."""

import json
from decimal import Decimal
from typing import Any, TypedDict, cast

import urllib3

from llmlab.cli.errors import CommandError

_TIMEOUT = urllib3.Timeout(connect=3, read=30)

Amount = Decimal | int | None
"""USD; None where every call is unpriced."""


class Sums(TypedDict):
    """Calls and what they cost under the old and the new prices."""

    calls: int
    changed: int
    newly_priced: int
    no_longer_priced: int
    still_unpriced: int
    recomputed: int
    """Those of `changed` that keep the cost which the provider returned."""
    old_spend: Amount
    new_spend: Amount
    difference: Decimal | int


class ModelSums(Sums):
    """The same of one model."""

    provider: str
    model: str


class DaySums(ModelSums):
    """The same of one model on one day."""

    date: str


class Job(TypedDict):
    """The answer of `/api/reprice/{id}`."""

    id: str
    state: str
    """`waiting`, `running`, `done` or `cancelled`."""
    catalogue: str
    total_calls: int
    error: str | None
    total: Sums
    by_model: list[ModelSums]
    by_day: list[DaySums]


class RepriceClient:
    """One exporter. Methods raise `CommandError`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)
        self.answer = ""
        """The text of the last answer, digit for digit."""

    def start(self, request: dict[str, Any]) -> Job:
        """Start a job."""
        return self._ask("POST", "/api/reprice", request)

    def show(self, job_id: str) -> Job:
        """Ask how a job is getting on."""
        return self._ask("GET", f"/api/reprice/{job_id}")

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop after what it is doing."""
        self._ask("DELETE", f"/api/reprice/{job_id}")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Job:
        try:
            response = self._pool.request(method, f"{self._url}{path}", json=body, redirect=False)
        except (urllib3.exceptions.LocationValueError, urllib3.exceptions.URLSchemeUnknown) as error:
            raise CommandError(f"{self._url} is not a URL: {error}", "write it like http://127.0.0.1:4318") from error
        except urllib3.exceptions.HTTPError as error:
            raise CommandError(
                f"no exporter answers at {self._url}",
                "start one with 'llmlab up', or point at yours with --url or LLMLAB_URL; "
                "a repricing that was begun goes on when its exporter starts again",
            ) from error
        return cast("Job", self._read(response.status, response.data))

    def _read(self, status: int, data: bytes) -> dict[str, Any]:
        try:
            answer: Any = json.loads(data, parse_float=Decimal)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and status in {200, 202}:
            self.answer = data.decode().rstrip("\n")
            return cast("dict[str, Any]", answer)
        if isinstance(answer, dict) and "error" in answer and "hint" in answer:
            raise CommandError(f"the exporter at {self._url} answers: {answer['error']}", str(answer["hint"]))
        raise CommandError(
            f"{self._url} answers, but not like an LLMLab exporter (status {status})",
            "check --url or LLMLAB_URL, and that the exporter is of this version",
        )
