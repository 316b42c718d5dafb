"""What genai-prices itself says: the judge of our compiled prices."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from random import Random

import genai_prices
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

from llmlab.pricing.catalogue.units import FIELDS
from llmlab.usage import Usage

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)

Counts = dict[str, int | Decimal]


def ns(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def counts(usage: Usage) -> genai_prices.Usage:
    found: Counts = {}
    for unit, field in FIELDS.items():
        count = getattr(usage, field)
        if count is not None:
            found[unit] = Decimal(count) / 1000 if field == "audio_ms" else count
    return genai_prices.Usage(**found)


def total(
    model: ModelInfo, provider: Provider, usage: Usage, moment: datetime = NOW, variant: dict[str, str] | None = None
) -> Decimal | None:
    """The library's price with digits to spare, None when it refuses the usage."""
    with localcontext(prec=60):
        try:
            calculation = model.calc_price(
                counts(usage), provider, genai_request_timestamp=moment, price_context=variant
            )
        except ValueError:
            return None
    return calculation.total_price


def plausible(random: Random, tokens: int) -> Usage:
    """A usage as providers report it: one that holds together, of which some parts are not told."""
    usage = complete(random, tokens)
    kept = {"input", "output"} | set(random.sample(Usage._fields, random.randint(0, len(Usage._fields))))
    return Usage(**{name: count for name, count in usage._asdict().items() if name in kept})


def complete(random: Random, tokens: int) -> Usage:
    """A usage in which everything is told and the parts fit, those too that two others have in common."""
    read = random.randint(0, tokens // 2)
    written = random.randint(0, (tokens - read) // 2)
    long_lived = random.randint(0, written)
    audio = random.randint(0, (tokens - read - written) // 3)
    image = random.randint(0, (tokens - read - written) // 3)
    output = random.randint(0, 5000)
    thought = random.randint(0, output // 2)
    return Usage(
        input=tokens,
        output=output,
        cache_read=read,
        cache_write=written,
        cache_write_5m=written - long_lived,
        cache_write_1h=long_lived,
        audio_in=audio,
        image_in=image,
        video_in=random.randint(0, (tokens - read - written) // 3),
        cache_read_audio=random.randint(0, min(read, audio) // 2),
        cache_read_image=random.randint(0, min(read, image) // 2),
        reasoning=thought,
        citation=random.randint(0, (output - thought) // 2),
        audio_out=random.randint(0, (output - thought) // 6),
        image_out=random.randint(0, (output - thought) // 6),
        video_out=random.randint(0, (output - thought) // 6),
        audio_ms=random.randint(0, 90_000),
        characters=random.randint(0, 5000),
        pages=random.randint(5, 30),
        annotated_pages=random.randint(0, 5),
        rerank_searches=random.randint(0, 3),
        text_messages=random.randint(0, 3),
        images=random.randint(0, 3),
        web_searches=random.randint(0, 3),
        file_searches=random.randint(0, 3),
    )


def wild(random: Random) -> Usage:
    """A usage in which anything may be missing or too large."""
    return Usage(*(random.choice((None, None, None, 0, random.randint(1, 50))) for _ in Usage._fields))


def tier_starts(model: ModelInfo) -> set[int]:
    starts: set[int] = set()
    for price in price_sets(model):
        for value in vars(price).values():
            if isinstance(value, TieredPrices):
                starts |= {tier.start for tier in value.tiers}
    return starts


def price_sets(model: ModelInfo) -> list[ModelPrice]:
    prices = [model.prices] if isinstance(model.prices, ModelPrice) else [price.prices for price in model.prices]
    return [*prices, *(variant.prices for variant in model.price_variants or ())]
