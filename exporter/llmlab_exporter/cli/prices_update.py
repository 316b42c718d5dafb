"""`llmlab prices update`: fetch the catalogue as it is published between releases of genai-prices."""

from datetime import UTC, datetime
from pathlib import Path

import click
import urllib3

from llmlab.cli.errors import CommandError
from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.catalogue.published import UPDATE_URL, keep_published
from llmlab.pricing.catalogue.sheet import PriceListError
from llmlab_exporter.cli.prices_source import data_directory, data_option, load_catalogue
from llmlab_exporter.price_files import catalogue_path

_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_MAX_BYTES = 64 * 1024 * 1024
"""The list has 2 MB; an answer of this size is something else."""


@click.command()
@click.option("--url", default=UPDATE_URL, envvar="LLMLAB_PRICES_URL", help="Where the catalogue is published.")
@data_option
def update(url: str, data: Path | None) -> None:
    """Fetch the current catalogue, check all of it, and put it in use."""
    path = catalogue_path(data_directory(data))
    text = _fetch(url, _in_use(data))
    try:
        catalogue = keep_published(text, path, datetime.now(UTC))
    except PriceListError as error:
        raise CommandError(f"what {url} sent cannot be used: {error}", f"{_in_use(data)} stays in use") from error
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written: {error.strerror}", "name another directory with --data"
        ) from error
    click.echo(f"{catalogue.label}: {_count(catalogue)}\nkept in {path}; a running exporter follows within seconds")


def _count(catalogue: Catalogue) -> str:
    models = sum(len(provider.models) for provider in catalogue.providers)
    return f"{models:,} models of {len(catalogue.providers)} providers, every price checked"


def _in_use(data: Path | None) -> str:
    try:
        return load_catalogue(data).label
    except CommandError:
        return f"{Catalogue().label} (bundled)"


def _fetch(url: str, in_use: str) -> str:
    hint = f"{in_use} stays in use; check the connection, or name a mirror with --url"
    try:
        with urllib3.PoolManager(timeout=_TIMEOUT, retries=urllib3.Retry(2, backoff_factor=0.2)) as pool:
            response = pool.request("GET", url, preload_content=False)
            body = response.read(_MAX_BYTES + 1, decode_content=True)
            response.release_conn()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise CommandError(f"no price list could be fetched from {url}: {type(error).__name__}", hint) from error
    if response.status != 200 or len(body) > _MAX_BYTES:
        what = f"status {response.status}" if response.status != 200 else f"more than {_MAX_BYTES:,} bytes"
        raise CommandError(f"no price list could be fetched from {url}: {what}", hint)
    return body.decode(errors="replace")
