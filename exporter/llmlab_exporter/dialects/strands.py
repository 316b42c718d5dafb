"""Strands Agents.

It follows the conventions, with flat names for the cached tokens beside theirs. Versions that write only the flat names
know the cache of Bedrock alone: of Anthropic's own API they hand on an input without its cached tokens, and say that
nothing was cached. Recorded: 0.2.1, 1.10.0 and 1.62.0.
"""

from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.reading.bedrock import full_model, with_full_names
from llmlab_exporter.span import Attributes, RawSpan, Scope

_OF_THE_CONVENTIONS = frozenset({"gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"})


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span."""
    said = span.attributes
    reading = spellings.read(span)
    if reading is None:
        return None
    reading = doubts.with_untold_cache(doubts.with_doubtful_input(with_full_names(reading), said), said)
    return doubts.with_lost_cache(reading) if _ignores_cache(reading, said) else reading


def _ignores_cache(reading: Reading, said: Attributes) -> bool:
    usage, model = reading.usage, reading.request_model
    old = said.keys().isdisjoint(_OF_THE_CONVENTIONS) and doubts.tells_cache(said)
    of_anthropic = model.startswith("claude-") and full_model(model) == model
    return usage.known and old and of_anthropic and not (usage.cache_read or usage.cache_write)


DIALECT = Dialect(
    name="strands",
    scopes=("strands.",),
    markers=("gen_ai.event.start_time",),
    rank=60,
    needles=(conventions.NEEDLE,),
    attributes=spellings.ATTRIBUTES,
    read=read,
)
