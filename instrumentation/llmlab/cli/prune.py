"""`llmlab prune`: forget old calls."""

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from llmlab.cli.api import DEFAULT_URL, Answer, address, ask
from llmlab.cli.errors import CommandError
from llmlab.cli.sizes import size

_TIMEOUT_S = 3600.0
"""Taking a part of a month out of the store rewrites the month."""


def _age(_: click.Context, __: click.Parameter, text: str) -> int:
    """Return days."""
    found = re.fullmatch(r"(\d{1,5})([dw]?)", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no age; write it like 90d or 13w")
    return int(found[1]) * (7 if found[2] == "w" else 1)


@click.command(short_help="Forget old calls.")
@click.option(
    "--older-than", "days", callback=_age, required=True, metavar="AGE", help="Whole days or weeks, such as 90d."
)
@click.option("--dry-run", is_flag=True, help="Say how many calls and bytes that is, and change nothing.")
@click.option("--sums", is_flag=True, help="Forget the spend of those days too; without it, the sums stay.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--url", envvar="LLMLAB_URL", default=DEFAULT_URL, show_default=True, help="The exporter (LLMLAB_URL).")
@click.option("--json", "as_json", is_flag=True, help="Print the exporter's answer.")
def prune(days: int, dry_run: bool, sums: bool, yes: bool, url: str, as_json: bool) -> None:
    """Forget the calls that are older than some days.

    Single calls go, with the store's disk space; what was spent stays known, unless --sums. Whole months are dropped at
    once; the store rewrites the month that the border lies in.
    """
    exporter = address(url)
    before = datetime.now(UTC).date() - timedelta(days=days)
    wanted = {"before": before.isoformat(), "sums": sums}
    answer = ask(exporter, "POST", "/api/prune", wanted | {"dry_run": True}, timeout_s=_TIMEOUT_S)
    if not dry_run and (answer.body["calls"] or sums):
        if not yes:
            _confirm(answer)
        answer = ask(exporter, "POST", "/api/prune", wanted | {"dry_run": False}, timeout_s=_TIMEOUT_S)
    click.echo(answer.text if as_json else _outcome(answer.body, dry_run=dry_run))


def _confirm(answer: Answer) -> None:
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to confirm it", "add --yes, or --dry-run to see what would go")
    question = f"Forget {_amount(answer.body)} of before {answer.body['before']} (UTC)? There is no way back"
    click.confirm(question, abort=True, err=True)


def _outcome(body: dict[str, Any], *, dry_run: bool) -> str:
    verb = "would be forgotten" if dry_run else "forgotten"
    kept = "what was spent stays in the sums"
    gone = "what they cost goes from all sums but those of /metrics"
    sums = kept if body["sums"] == "kept" else gone
    return f"{_amount(body)} of before {body['before']} (UTC) {verb}; {sums}"


def _amount(body: dict[str, Any]) -> str:
    calls: int = body["calls"]
    return f"{calls:,} call{'' if calls == 1 else 's'} ({size(body['bytes'])})"
