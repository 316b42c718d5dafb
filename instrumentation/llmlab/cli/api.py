"""Asks an exporter: one request, one JSON answer, and every failure a sentence with a hint."""

import json
import sys
from decimal import Decimal
from typing import Any, NamedTuple, cast

import click
import urllib3

from llmlab.cli.errors import CommandError

DEFAULT_URL = "http://127.0.0.1:4318"


class Answer(NamedTuple):
    """An answer, and the text that it was read from, digit for digit."""

    body: dict[str, Any]
    text: str


def address(url: str) -> str:
    """Complete what a user may leave out of a URL."""
    return (url if "://" in url else f"http://{url}").rstrip("/")


def ask(url: str, method: str, path: str, body: dict[str, Any] | None = None, *, timeout_s: float = 30) -> Answer:
    """Send a request to the exporter at `url`. Raises `CommandError`."""
    try:
        with urllib3.PoolManager(timeout=urllib3.Timeout(connect=3, read=timeout_s), retries=False) as pool:
            response = pool.request(method, f"{url}{path}", json=body, redirect=False)
    except (urllib3.exceptions.LocationValueError, urllib3.exceptions.URLSchemeUnknown) as error:
        raise CommandError(f"{url} is not a URL: {error}", "write it like http://127.0.0.1:4318") from error
    except urllib3.exceptions.HTTPError as error:
        raise CommandError(
            f"no exporter answers at {url}", "start one with 'llmlab up', or point at yours with --url or LLMLAB_URL"
        ) from error
    return _read(url, response.status, response.data)


def confirm(question: str) -> None:
    """Let the user say yes, or end the command. Raises `CommandError` when nobody is there."""
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to confirm it", "add --yes")
    click.confirm(question, abort=True, err=True)


def _read(url: str, status: int, data: bytes) -> Answer:
    text = data.decode(errors="replace").rstrip("\n")
    try:
        answer: Any = json.loads(text, parse_float=Decimal)
    except ValueError:
        answer = None
    body = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
    if body and status == 200:
        return Answer(body, text)
    if "error" in body and "hint" in body:
        raise CommandError(f"the exporter at {url} answers: {body['error']}", str(body["hint"]))
    raise CommandError(
        f"{url} answers, but not like an LLMLab exporter (status {status})",
        "check --url or LLMLAB_URL, and that the exporter is of this version",
    )
