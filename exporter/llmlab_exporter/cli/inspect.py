"""`llmlab inspect`: what the exporter makes of recorded OTLP requests. Nothing is stored."""

import sys
from pathlib import Path

import click

from llmlab.pricing.pricer import Pricer
from llmlab_exporter.cli.inspect_report import print_json, print_table
from llmlab_exporter.cli.prices_source import load_book, sources
from llmlab_exporter.decode import JSON, PROTOBUF, MalformedRequest
from llmlab_exporter.inspection import Inspection, inspect_request


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@sources
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per span and line, for programs.")
def inspect(files: tuple[Path, ...], prices: Path | None, data: Path | None, as_json: bool) -> None:
    """Show how spans are read, and which dialect reads them.

    Each FILE is the body of an OTLP trace export request, looked at by itself: JSON when its name ends in .json,
    protobuf otherwise. Costs are those of an exporter with the same prices.
    """
    book = load_book(prices, data)
    pricer = Pricer(book.catalogue, book.own)
    failed = False
    for file in files:
        inspection = _inspect(file, pricer)
        if inspection is None:
            failed = True
        elif as_json:
            print_json(file, inspection)
        else:
            print_table(file, inspection)
    sys.exit(1 if failed else 0)


def _inspect(file: Path, pricer: Pricer) -> Inspection | None:
    """Inspect one file; None when it cannot be read, which is said on standard error."""
    try:
        return inspect_request(file.read_bytes(), JSON if file.suffix == ".json" else PROTOBUF, pricer)
    except OSError as error:
        _complain(f"{file} cannot be read: {error.strerror}", "name a file that exists and that you may read")
    except MalformedRequest as error:
        _complain(
            f"{file} is no OTLP trace export request: {error}",
            "record the uncompressed body of a POST to /v1/traces; its name ends in .json if it is JSON",
        )
    return None


def _complain(message: str, hint: str) -> None:
    click.echo(f"error: {message}\nhint: {hint}", err=True)
