"""`llmlab dead-letters`: calls that the store refused for good."""

from typing import Any

import click

from llmlab.cli.api import DEFAULT_URL, address, ask, confirm
from llmlab.cli.errors import CommandError

_NONE = "the store has refused no calls"
_NAME_COLUMNS = 22

_url = click.option(
    "--url", envvar="LLMLAB_URL", default=DEFAULT_URL, show_default=True, help="The exporter (LLMLAB_URL)."
)


@click.group("dead-letters", short_help="List, retry or discard calls that the store refused.")
def dead_letters() -> None:
    """List, retry or discard the calls that the store refused for good, and those that cannot be read any more.

    They are counted in every sum, and are missing from the single calls.
    """


@dead_letters.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many of the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print the exporter's answer, with the whole calls.")
@_url
def list_letters(limit: int, as_json: bool, url: str) -> None:
    """Show what was refused, and why."""
    answer = ask(address(url), "GET", f"/api/dead-letters?limit={limit}")
    if as_json:
        click.echo(answer.text)
        return
    for letter in answer.body["dead_letters"]:
        click.echo(_line(letter))
    count, shown = answer.body["count"], len(answer.body["dead_letters"])
    if not count:
        click.echo(_NONE)
    elif count > shown:
        click.echo(f"and {count - shown:,} earlier ones")


@dead_letters.command()
@click.argument("letter_id", metavar="ID", type=click.IntRange(1))
@_url
def show(letter_id: int, url: str) -> None:
    """Show all that is known of one."""
    letter = ask(address(url), "GET", f"/api/dead-letters/{letter_id}").body
    call: dict[str, Any] = letter["call"] or {}
    for name, value in ({name: letter[name] for name in ("id", "refused_at", "reason", "calls")} | call).items():
        click.echo(f"{name:<{_NAME_COLUMNS}}{value}")


@dead_letters.command()
@click.argument("ids", nargs=-1, type=click.IntRange(1))
@_url
def retry(ids: tuple[int, ...], url: str) -> None:
    """Give all of them another try, or those of the IDS."""
    answer = ask(address(url), "POST", "/api/dead-letters/retry", {"ids": list(ids)} if ids else {})
    sent: int = answer.body["sent_again"]
    if ids and not sent:
        raise CommandError(
            "there are no dead letters of these numbers", "llmlab dead-letters list shows which there are"
        )
    calls = "1 call goes" if sent == 1 else f"{sent:,} calls go"
    click.echo(f"{calls} to the store again; what it refuses once more comes back" if sent else _NONE)


@dead_letters.command()
@click.argument("ids", nargs=-1, required=True, type=click.IntRange(1))
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@_url
def discard(ids: tuple[int, ...], yes: bool, url: str) -> None:
    """Forget those of the IDS for good. They stay in the sums."""
    if not yes:
        confirm(f"Discard {len(ids)} dead letter{'' if len(ids) == 1 else 's'}? There is no way back")
    calls = sum(ask(address(url), "DELETE", f"/api/dead-letters/{each}").body["discarded"] for each in ids)
    click.echo(f"{calls:,} call{'' if calls == 1 else 's'} discarded; what they cost stays in the sums")


def _line(letter: dict[str, Any]) -> str:
    call: dict[str, Any] | None = letter["call"]
    if call is None:
        calls = f"{letter['calls']:,} call{'' if letter['calls'] == 1 else 's'} that cannot be read"
        return f"{letter['id']:>6}  {letter['refused_at']}  {calls}\n        {letter['reason']}"
    model = f"{call.get('provider', 'unknown')}/{call.get('model', 'unknown')}"
    ids = f"{call.get('trace_id', '')}/{call.get('span_id', '')}"
    return f"{letter['id']:>6}  {letter['refused_at']}  {model}  {ids}\n        {letter['reason']}"
