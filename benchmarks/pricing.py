"""What it takes to price one call that was seen before: `python benchmarks/pricing.py`.

Prints the best of 15 runs of 20,000 calls each, the lookup of the rate included, in microseconds. On a machine that
does other things too, run it a few times and take the least. The lines with an asterisk are names that were never seen
before, another one with each of 1,000 calls a run. The last line is genai-prices itself, 200 calls a run.
"""

import time
import timeit
from collections.abc import Iterator
from functools import partial
from itertools import count

import genai_prices

from llmlab.pricing.pricer import HINTS, Pricer
from llmlab.usage import Usage

CALLS = 20_000
LIBRARY_CALLS = 200
NEW_NAMES = 1000
RUNS = 15

CASES = {
    "tokens only": ("openai", "gpt-4o-2024-11-20", Usage(1000, 500)),
    "cached tokens": ("openai", "gpt-4o-2024-11-20", Usage(1000, 500, cache_read=200, reasoning=0)),
    "long-context tiers": ("gcp.gemini", "gemini-2.5-pro", Usage(1000, 500, cache_read=200, reasoning=100)),
    "both cache lifetimes": (
        "anthropic",
        "claude-sonnet-4-5-20250929",
        Usage(5807, 389, cache_read=4096, cache_write=1500, cache_write_5m=1000, cache_write_1h=500, reasoning=128),
    ),
    "unknown model": ("openai", "no-such-model", Usage(1000, 500)),
}

INVENTED = {
    "openai": "my-model-{}",
    "aws.bedrock": "my-model-{}",
    "openrouter": "me/my-model-{}",
    "gcp.gemini": "my-model-{}",
    "anthropic": "claude-sonnet-4-5-{}",
    "": "my-model-{}",
}
"""By provider, names that nobody has seen; the one at Anthropic is taken for a model that exists."""


def main() -> None:
    pricer = Pricer()
    now_ns = time.time_ns()
    for name, (provider, model, usage) in CASES.items():
        price = partial(pricer.price, provider, (model, ""), usage, now_ns, tier="default")
        price()
        seconds = min(timeit.repeat(price, number=CALLS, repeat=RUNS)) / CALLS
        print(f"{name:<22}{seconds * 1e6:6.2f} us")
    _use_up_hints(pricer)
    names = count()
    for provider, name in INVENTED.items():
        seconds = min(_never_seen_seconds(pricer, provider, name, names) for _ in range(RUNS))
        print(f"* {provider or 'no provider':<20}{seconds * 1e6:6.2f} us")
    print(f"{'genai-prices':<22}{_library_seconds() * 1e6:6.2f} us")


def _use_up_hints(pricer: Pricer) -> None:
    """Name so many unknown models that the nearest names are no longer looked for, as in a flood of them."""
    for number in range(HINTS):
        pricer.price("openai", (f"no-such-model-{number}",), Usage(1, 1), 0)


def _never_seen_seconds(pricer: Pricer, provider: str, name: str, numbers: Iterator[int]) -> float:
    models = [(name.format(next(numbers)),) for _ in range(NEW_NAMES)]
    started = time.perf_counter()
    for model in models:
        pricer.price(provider, model, Usage(1000, 500), 0)
    return (time.perf_counter() - started) / NEW_NAMES


def _library_seconds() -> float:
    usage = genai_prices.Usage(input_tokens=1000, output_tokens=500)
    price = partial(genai_prices.calc_price, usage, "gpt-4o-2024-11-20", provider_id="openai")
    price()
    return min(timeit.repeat(price, number=LIBRARY_CALLS, repeat=RUNS)) / LIBRARY_CALLS


if __name__ == "__main__":
    main()
