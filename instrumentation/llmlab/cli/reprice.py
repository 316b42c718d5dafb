"""`llmlab reprice`: price history again, by the prices that the exporter knows now."""

import sys
import time
from datetime import datetime

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llmlab.cli.reprice_client import Job, RepriceClient
from llmlab.cli.reprice_report import print_outcome

DEFAULT_URL = "http://127.0.0.1:4318"
POLL_S = 0.2
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--from", "first", type=_DAY, required=True, help="First day, UTC, such as 2026-11-01.")
@click.option("--to", "last", type=_DAY, required=True, help="Last day, included.")
@click.option("--model", default="", help="Only this model, as 'llmlab status' names it.")
@click.option("--provider", default="", help="Only this provider.")
@click.option("--project", default="", help="Only this project.")
@click.option("--dry-run", is_flag=True, help="Show old, new and difference by model and day, and change nothing.")
@click.option("--url", envvar="LLMLAB_URL", default=DEFAULT_URL, show_default=True, help="The exporter (LLMLAB_URL).")
@click.option("--json", "as_json", is_flag=True, help="Print the exporter's answer: every digit, for programs.")
def reprice(
    first: datetime, last: datetime, model: str, provider: str, project: str, dry_run: bool, url: str, as_json: bool
) -> None:
    """Price past calls again by the prices that are known now.

    Calls that had no known price get one when there is one now. A cost that the provider itself returned
    stays; what is computed beside it follows. The exporter does the work while it goes on receiving; Ctrl-C asks
    whether to stop it.
    """
    client = RepriceClient((url if "://" in url else f"http://{url}").rstrip("/"))
    wanted = {"model": model, "provider": provider, "project": project}
    days = {"from": f"{first:%Y-%m-%d}", "to": f"{last:%Y-%m-%d}"}
    job = _watch(client, client.start(days | wanted | {"dry_run": dry_run}))
    if as_json:
        click.echo(client.answer)
    else:
        print_outcome(job, dry_run=dry_run)
    if job["state"] == "cancelled":
        sys.exit(1)


def _watch(client: RepriceClient, job: Job) -> Job:
    """Show a bar until the job ends, and ask on Ctrl-C."""
    with _bar() as progress:
        task = progress.add_task("", total=None)
        while job["state"] not in {"done", "cancelled"}:
            try:
                time.sleep(POLL_S)
                job = client.show(job["id"])
                doing = f"trying again: {job['error']}" if job["error"] else job["state"]
                progress.update(
                    task, completed=job["total"]["calls"], total=job["total_calls"] or None, description=doing
                )
            except KeyboardInterrupt:
                progress.stop()
                if _is_to_stop(job["id"]):
                    client.cancel(job["id"])
                progress.start()
    return job


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _is_to_stop(job_id: str) -> bool:
    """Ask; where nobody can answer, Ctrl-C itself is the answer."""
    if not sys.stdin.isatty():
        return True
    try:
        return click.confirm("\nStop repricing? What is done stays", default=True, err=True)
    except click.Abort:  # Ctrl-C again
        click.echo(f"the exporter goes on with repricing {job_id}; see /api/reprice/{job_id}", err=True)
        sys.exit(130)
