"""Braintrust's SDKs for Ruby, Go, Java and .NET, which record with OpenTelemetry.

What was asked for and answered is JSON in `braintrust.metadata`, the usage in `braintrust.metrics`; that for .NET
writes each number as an attribute. Cached tokens are inside the prompt, whoever the provider is. From the sources of
braintrust-sdk-ruby (`lib/braintrust/contrib/support`), -go and -dotnet, 2026-11.
"""

from llmlab.usage import NO_USAGE
from llmlab_exporter.call import Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.reading.blobs import Fields, fields_of
from llmlab_exporter.reading.counts import Table, read_counts
from llmlab_exporter.reading.gaps import with_conventions
from llmlab_exporter.reading.values import amount_usd, named, seconds, text, truth
from llmlab_exporter.span import Attributes, RawSpan, Scope

_METRICS = "braintrust.metrics"
_METADATA = "braintrust.metadata"
_KIND = "braintrust.span_attributes"
_BILLED = ("", "llm")
"""By `type`; tasks, tools, scores, evaluations and functions are not."""

_COUNTS: Table = (
    ("prompt_tokens", "input"),
    ("completion_tokens", "output"),
    ("prompt_cached_tokens", "cache_read"),
    ("prompt_cache_creation_tokens", "cache_write"),
    ("prompt_cache_write_tokens", "cache_write"),
    ("prompt_audio_tokens", "audio_in"),
    ("completion_reasoning_tokens", "reasoning"),
    ("completion_audio_tokens", "audio_out"),
)
_OTHERS = ("tokens", "time_to_first_token", "estimated_cost")
_METRIC_KEYS = {f"{_METRICS}.{name}": name for name in (*(name for name, _ in _COUNTS), *_OTHERS)}
_METADATA_KEYS = {f"{_METADATA}.{name}": name for name in ("provider", "model", "id", "service_tier", "stream")}


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span. None for the types that are no model calls."""
    said = span.attributes
    metrics = _fields(said, _METRICS, _METRIC_KEYS)
    metadata = _fields(said, _METADATA, _METADATA_KEYS)
    kind = text(fields_of(said.get(_KIND)).get("type"))
    counts = read_counts(_COUNTS, metrics)
    model = named(metadata.get("model"))
    if kind not in _BILLED or not (kind or model or counts.usage.known):
        return None
    error = text(said.get("error.type")) or (conventions.UNNAMED_ERROR if span.failed else "")
    response_id = text(metadata.get("id"))
    answered = bool(response_id or counts.flaws) or counts.usage.known
    reading = Reading(
        operation="chat",
        billable=answered or not error,
        provider=text(metadata.get("provider")),
        request_model=model,
        response_id=response_id,
        tier=text(metadata.get("service_tier")),
        stream=truth(metadata.get("stream")),
        usage=counts.usage,
        usage_source=None if counts.usage is NO_USAGE else "reported",
        error=error,
        first_chunk_s=seconds(metrics.get("time_to_first_token")),
        claimed_cost=amount_usd(metrics.get("estimated_cost")),
        user=text(said.get("user.id")),
        session=text(said.get("session.id")),
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
    )
    reading = doubts.with_doubtful_input(reading, {spellings.TOTALS[0]: metrics.get("tokens")})
    return with_conventions(reading, span)


def _fields(said: Attributes, whole: str, single: dict[str, str]) -> Fields:
    """Return what is said in one object, or else attribute by attribute."""
    return fields_of(said.get(whole)) or {name: said[key] for key, name in single.items() if key in said}


DIALECT = Dialect(
    name="braintrust",
    scopes=("braintrust",),
    markers=(_METRICS, _KIND, *_METRIC_KEYS),
    rank=28,
    needles=("braintrust.",),
    attributes=(*spellings.ATTRIBUTES, _METRICS, _METADATA, _KIND, *_METRIC_KEYS, *_METADATA_KEYS),
    read=read,
)
