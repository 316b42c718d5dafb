"""Asks an exporter for its cost summary."""

import json
from decimal import Decimal
from typing import Any, NamedTuple, NotRequired, TypedDict, cast

import urllib3

from llmlab.cli.budget_report import Standing
from llmlab.cli.errors import CommandError

_TIMEOUT = urllib3.Timeout(connect=3, read=15)

Amount = Decimal | int | None
"""USD; None where every call is unpriced."""


class Spend(TypedDict):
    """What some calls cost. `spend` leaves out the unpriced ones."""

    spend: Amount
    requests: int
    unpriced_requests: int


class Window(Spend):
    """The days that the breakdown covers, both included."""

    days: int
    to: str


class ModelSpend(Spend):
    """One model's part of the window."""

    provider: str
    model: str
    input_tokens: int
    output_tokens: int


class UnpricedModel(TypedDict):
    """A model that no price is known for."""

    provider: str
    model: str
    requests: int


class Unpriced(TypedDict):
    """The calls of the window that no price is known for."""

    requests: int
    models: list[UnpricedModel]


class BudgetStatus(TypedDict):
    """How much of the budget is used."""

    budget: Decimal | int
    spent: Decimal | int
    percentage: Decimal | int
    alert: bool


class Rate(TypedDict):
    """Calls that were sampled at one rate."""

    requests: int
    one_in: Decimal | int | None
    """None where rates are not told apart."""


class Extrapolated(TypedDict):
    """What calls amount to when each is counted as often as it stands for others."""

    requests: int
    spend: Amount


class Extrapolation(TypedDict):
    """The extrapolated sums."""

    periods: dict[str, Extrapolated]


class Sampling(TypedDict):
    """What the sums leave out, because senders left it out."""

    periods: dict[str, list[Rate]]
    """The window and others; only those with sampled calls."""
    extrapolated: NotRequired[Extrapolation]


class Summary(TypedDict):
    """The answer of `GET /api/costs/summary`, as far as we show it."""

    as_of: str
    timezone: str
    periods: dict[str, Spend]
    window: Window
    by_provider: dict[str, Amount]
    models: list[ModelSpend]
    unpriced: Unpriced
    sampling: NotRequired["Sampling | None"]
    budget_status: NotRequired[BudgetStatus | None]
    budgets: NotRequired[list[Standing]]
    pipeline: dict[str, Any]


class Answer(NamedTuple):
    """A summary, and the text that it was read from, digit for digit."""

    summary: Summary
    text: str


def fetch_summary(url: str, days: int, time_zone: str | None = None, *, extrapolate: bool = False) -> Answer:
    """Fetch the cost summary of the last `days` days from the exporter at `url`.

    With `extrapolate`, it says too what the calls that were sampled stand for.

    Raises:
        CommandError: no exporter answers there, or something else does.
    """
    fields = {"days": str(days)} | ({"tz": time_zone} if time_zone else {})
    fields |= {"extrapolate": "true"} if extrapolate else {}
    try:
        with urllib3.PoolManager(timeout=_TIMEOUT, retries=False) as pool:
            response = pool.request("GET", f"{url}/api/costs/summary", fields=fields, redirect=False)
    except (urllib3.exceptions.LocationValueError, urllib3.exceptions.URLSchemeUnknown) as error:
        raise CommandError(f"{url} is not a URL: {error}", "write it like http://127.0.0.1:4318") from error
    except urllib3.exceptions.HTTPError as error:
        raise CommandError(
            f"no exporter answers at {url}",
            "start one with 'llmlab up', or point at yours with --url or LLMLAB_URL",
        ) from error
    return _read(url, response.status, response.data)


def _read(url: str, status: int, data: bytes) -> Answer:
    text = data.decode(errors="replace")
    try:
        value: Any = json.loads(text, parse_float=Decimal)
    except ValueError:
        value = None
    body = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if status == 200 and Summary.__required_keys__ <= body.keys():
        return Answer(cast("Summary", body), text.rstrip("\n"))
    raise _refusal(url, status, body)


def _refusal(url: str, status: int, body: dict[str, Any]) -> CommandError:
    if "error" in body and "hint" in body:
        return CommandError(f"the exporter at {url} answers: {body['error']}", str(body["hint"]))
    if status == 503:
        return CommandError(f"the exporter at {url} is not ready (503)", f"see {url}/readyz for the reason")
    return CommandError(
        f"{url} answers, but not like an LLMLab exporter ({'unknown JSON' if body else 'no JSON'}, status {status})",
        "check --url or LLMLAB_URL, and that the exporter is of this version",
    )
