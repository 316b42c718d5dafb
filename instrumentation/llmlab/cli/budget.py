"""`llmlab budget`: set budgets, list them, see how they stand, remove them."""

from typing import Any
from urllib.parse import quote

import click
from typing_extensions import override

from llmlab.cli.api import DEFAULT_URL, address, ask
from llmlab.cli.budget_report import exporters, listed, outcome, print_standing

_SET = "set"

_url = click.option(
    "--url", envvar="LLMLAB_URL", default=DEFAULT_URL, show_default=True, help="The exporter (LLMLAB_URL)."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the exporter's answer: every digit, for programs.")


class _BudgetGroup(click.Group):
    """A group in which an amount sets a budget, and nothing shows how budgets stand."""

    @override
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            args = ["status"]
        elif args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [_SET, *args]
        return super().parse_args(ctx, args)

    @override
    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "AMOUNT [OPTIONS]")
        formatter.write_usage(ctx.command_path, "list | status | rm NAME | exporters")

    @override
    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.commands[_SET].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


class _Amount(click.ParamType[str]):
    """Whatever is meant as an amount: the exporter reads it, exactly."""

    name = "amount"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not any(character.isdigit() for character in text):
            self.fail(f"{text!r} is neither an amount in USD nor one of list, status, rm", param, ctx)
        return text


@click.group(cls=_BudgetGroup, short_help="Set budgets, and see how much of them is spent.")
def budget() -> None:
    """Set a budget in USD, or see how much of each is spent.

    \b
    llmlab budget 1000                          all calls of a month
    llmlab budget 50 --period day --project web
    llmlab budget 200 --model gpt-4o --tz Europe/Berlin
    llmlab budget status
    llmlab budget rm monthly

    A budget that is set again is changed. Budgets warn and stop nothing; those that `llmlab up --budgets FILE` reads
    are changed in the file.
    """


@budget.command(_SET, hidden=True)
@click.argument("positional", metavar="AMOUNT", type=_Amount(), required=False)
@click.option("--amount", type=_Amount(), metavar="USD", help="The limit, instead of the argument.")
@click.option("--period", default="month", show_default=True, metavar="day|week|month", help="What it holds for.")
@click.option("--tz", "time_zone", default="UTC", show_default=True, metavar="ZONE", help="Where days begin.")
@click.option("--org", metavar="NAME", help="Only calls of this organisation.")
@click.option("--project", metavar="NAME", help="Only calls of this project.")
@click.option("--service", metavar="NAME", help="Only calls of this service.")
@click.option("--environment", metavar="NAME", help="Only calls from this environment.")
@click.option("--provider", metavar="NAME", help="Only calls to this provider, such as openai.")
@click.option("--model", metavar="NAME", help="Only calls of this model, in all its versions; gpt-* takes several.")
@click.option("--feature", metavar="NAME", help="Only calls for this feature.")
@click.option("--thresholds", metavar="LIST", help="Percentages at which to alert.  [default: 50,80,100]")
@click.option("--name", help="What to call it.  [default: by its limits, such as monthly]")
@_json
@_url
def set_budget(
    positional: str | None,
    amount: str | None,
    period: str,
    time_zone: str,
    thresholds: str | None,
    name: str | None,
    as_json: bool,
    url: str,
    **scope: str | None,
) -> None:
    """Set a budget, or change it."""
    if (positional is None) == (amount is None):
        raise click.UsageError("give one amount in USD: llmlab budget 1000, or llmlab budget --amount 1000")
    wanted: dict[str, Any] = {
        "limit": positional or amount,
        "period": period,
        "time_zone": time_zone,
        "scope": {dimension: value for dimension, value in scope.items() if value is not None},
    }
    if thresholds is not None:
        wanted["thresholds"] = [each.strip() for each in thresholds.split(",")]
    if name is not None:
        wanted["name"] = name
    answer = ask(address(url), "POST", "/api/budgets", wanted)
    click.echo(answer.text if as_json else outcome(answer.body))


@budget.command("list")
@_json
@_url
def list_budgets(as_json: bool, url: str) -> None:
    """Show what budgets there are, and where they come from."""
    answer = ask(address(url), "GET", "/api/budgets")
    click.echo(answer.text if as_json else listed(answer.body))


@budget.command()
@_json
@_url
def status(as_json: bool, url: str) -> None:
    """Show how much of each budget is spent, and where it leads."""
    exporter = address(url)
    answer = ask(exporter, "GET", "/api/budgets/status")
    if as_json:
        click.echo(answer.text)
    else:
        print_standing(answer.body, exporter)


@budget.command("exporters")
@click.option("--gone", metavar="ID", help="This one will not come back; what it spent still counts.")
@click.option("--remove", metavar="ID", help="What this one spent shall not count any more.")
@_json
@_url
def show_exporters(gone: str | None, remove: str | None, as_json: bool, url: str) -> None:
    """Show which exporters share budgets, and what part each has; give up those that are gone."""
    exporter = address(url)
    if gone:
        ask(exporter, "POST", f"/api/budgets/exporters/{quote(gone, safe='')}/gone", {})
    if remove:
        ask(exporter, "DELETE", f"/api/budgets/exporters/{quote(remove, safe='')}")
    answer = ask(exporter, "GET", "/api/budgets/exporters")
    click.echo(answer.text if as_json else exporters(answer.body))


@budget.command("rm")
@click.argument("name")
@_url
def remove(name: str, url: str) -> None:
    """Remove a budget."""
    ask(address(url), "DELETE", f"/api/budgets/{quote(name, safe='')}")
    click.echo(f"budget {name} removed")
