"""`llmlab status`: what was spent."""

import click

from llmlab.cli.exporter_client import fetch_summary
from llmlab.cli.spend_report import print_report

DEFAULT_URL = "http://127.0.0.1:4318"


@click.command()
@click.option("--url", envvar="LLMLAB_URL", default=DEFAULT_URL, show_default=True, help="The exporter (LLMLAB_URL).")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="Days of the breakdown.")
@click.option("--tz", "time_zone", metavar="ZONE", help="Time zone that days begin in, such as Europe/Berlin.")
@click.option("--extrapolate", is_flag=True, help="Show, beside the sums, what sampled calls stand for.")
@click.option("--json", "as_json", is_flag=True, help="Print the exporter's answer: every digit, for programs.")
def status(url: str, days: int, time_zone: str | None, extrapolate: bool, as_json: bool) -> None:
    """Show what was spent: by period, provider and model."""
    address = (url if "://" in url else f"http://{url}").rstrip("/")
    answer = fetch_summary(address, days, time_zone, extrapolate=extrapolate)
    if as_json:
        click.echo(answer.text)
    else:
        print_report(answer.summary, address)
