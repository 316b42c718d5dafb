"""Where the usage that a library tells is not the provider's: what can be set right, and what can only be marked."""

from llmlab_exporter.call import Reading
from llmlab_exporter.reading.counts import with_cache_inside
from llmlab_exporter.reading.spellings import COUNTS, total_in
from llmlab_exporter.span import Attributes


def with_exclusive_input(reading: Reading) -> Reading:
    """Convert the usage of a library that is known to count cached tokens beside the input."""
    return reading._replace(usage=with_cache_inside(reading.usage))


def with_doubtful_input(reading: Reading, said: Attributes) -> Reading:
    """Convert an input that does not contain its cached parts.

    The total may prove it. Else it shows where the cached tokens exceed the input; the usage is an estimate then.
    """
    usage = reading.usage
    cached = (usage.cache_read or 0) + (usage.cache_write or 0)
    if usage.input is None or not cached:
        return reading
    if total_in(said) == usage.input + (usage.output or 0) + cached:
        return with_exclusive_input(reading)
    return with_exclusive_input(reading)._replace(usage_source="estimated") if cached > usage.input else reading


_CACHING_MODELS = ("claude", "nova-")
"""Whose providers count cached tokens beside the input, so that a library which drops them drops input."""
_CACHE_KEYS = frozenset(key for key, field in COUNTS if field.startswith("cache"))
_CACHE_UNTOLD = "of the input it is not told which tokens were cached, and perhaps not how many"


def with_untold_cache(reading: Reading, said: Attributes) -> Reading:
    """Mark the usage of a library that hands on the provider's input but says nothing of the cache.

    If at least the total counts what was cached, so does the input then.
    """
    usage = reading.usage
    model = reading.response_model or reading.request_model
    if not any(name in model for name in _CACHING_MODELS) or not usage.known or tells_cache(said):
        return reading
    whole = (total_in(said) or 0) - (usage.output or 0)
    if usage.input is not None and whole > usage.input:
        reading = reading._replace(usage=usage._replace(input=whole))
    return with_lost_cache(reading)


def tells_cache(said: Attributes) -> bool:
    """Whether a span says anything of the cache, were it that nothing was cached."""
    return not said.keys().isdisjoint(_CACHE_KEYS)


_PROCESSED = "these are the tokens that Cohere processed; it bills fewer"


def with_processed_tokens(reading: Reading) -> Reading:
    """Mark the usage of a framework that hands on what Cohere processed in place of what it bills."""
    if reading.provider.partition(".")[0].lower() != "cohere" or not reading.usage.known:
        return reading
    return reading._replace(usage_source="estimated", flaws=(*reading.flaws, _PROCESSED))


def with_lost_cache(reading: Reading) -> Reading:
    """Mark a usage of which the cached tokens are missing."""
    return reading._replace(usage_source="estimated", flaws=(*reading.flaws, _CACHE_UNTOLD))
