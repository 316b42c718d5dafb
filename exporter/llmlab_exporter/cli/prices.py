"""`llmlab prices`: the prices that calls are priced by."""

import click

from llmlab_exporter.cli.prices_check import check
from llmlab_exporter.cli.prices_show import show
from llmlab_exporter.cli.prices_update import update


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def prices() -> None:
    """Show, compare and update the prices that calls are priced by."""


prices.add_command(show)
prices.add_command(check)
prices.add_command(update)
