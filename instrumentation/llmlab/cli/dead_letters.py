"""`llmlab dead-letters`: calls that the store refused for good."""

from typing import Any

import click

from llmlab.cli.api import DEFAULT_URL, address, ask

_url = click.option(
    "--url", envvar="LLMLAB_URL", default=DEFAULT_URL, show_default=True, help="The exporter (LLMLAB_URL)."
)


@click.group("dead-letters", short_help="List or retry calls that the store refused.")
def dead_letters() -> None:
    """List or retry the calls that the store refused for good.

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
        click.echo("the store has refused no calls")
    elif count > shown:
        click.echo(f"and {count - shown:,} earlier ones")


@dead_letters.command()
@click.argument("ids", nargs=-1, type=click.IntRange(1))
@_url
def retry(ids: tuple[int, ...], url: str) -> None:
    """Give all of them another try, or those of the IDS."""
    answer = ask(address(url), "POST", "/api/dead-letters/retry", {"ids": list(ids)} if ids else {})
    sent: int = answer.body["sent_again"]
    calls = "1 call goes" if sent == 1 else f"{sent:,} calls go"
    click.echo(f"{calls} to the store again; what it refuses once more comes back")


def _line(letter: dict[str, Any]) -> str:
    call: dict[str, Any] = letter["call"]
    model = f"{call.get('provider', 'unknown')}/{call.get('model', 'unknown')}"
    ids = f"{call.get('trace_id', '')}/{call.get('span_id', '')}"
    return f"{letter['id']:>6}  {letter['refused_at']}  {model}  {ids}\n        {letter['reason']}"
