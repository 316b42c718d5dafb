"""The formats of price lists that can be read beside genai-prices, and how to tell them apart."""

from pathlib import Path

from llmlab.pricing.catalogue.litellm import LiteLLMFile
from llmlab.pricing.catalogue.price_page import PricePage
from llmlab.pricing.catalogue.published import PublishedList
from llmlab.pricing.catalogue.sheet import Adapter, PriceListError, Problem, Sheet
from llmlab.pricing.catalogue.user_file import UserFile
from llmlab.pricing.catalogue.vellum import VellumFile

ADAPTERS: tuple[Adapter, ...] = (PublishedList(), LiteLLMFile(), VellumFile(), PricePage(), UserFile())
"""Asked in this order; the first that recognises a text reads it."""


def read_price_list(path: Path) -> Sheet:
    """Read a price list of any known format. Raises `PriceListError`, also when the file cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PriceListError(str(path), [Problem(1, 0, str(error), "name a text file that can be read")]) from error
    adapter = next((adapter for adapter in ADAPTERS if adapter.recognises(text)), None)
    if adapter is None:
        known = ", ".join(adapter.name for adapter in ADAPTERS)
        raise PriceListError(str(path), [Problem(1, 0, "this is no price list that we know", f"known are {known}")])
    return adapter.read(text, path.name)
