"""Logfire's instrumentations of SDKs.

They follow the conventions, and carry the provider's usage object as JSON. The usage of a stream is in a record of its
own, made when the stream has ended: a span without duration that says how long the stream took. Recorded: 5.2.0, with
and without the spans of Anthropic's SDK.
"""

from llmlab_exporter.call import STREAM_BEGAN, STREAM_ENDED, Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.reading.blobs import field_at, fields_of
from llmlab_exporter.reading.counts import completed
from llmlab_exporter.reading.native import cost_in, read_native, seller_in
from llmlab_exporter.reading.operations import is_billed
from llmlab_exporter.reading.values import seconds, text
from llmlab_exporter.span import RawSpan, Scope

_USAGE = "gen_ai.usage.raw"
_OLD_RESPONSE = "response_data"
_RECORD = "logfire.span_type"
_DURATION = "duration"


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span."""
    said = span.attributes
    reading = spellings.read(span)
    if reading is None:
        return None
    usage = fields_of(said.get(_USAGE)) or field_at(fields_of(said.get(_OLD_RESPONSE)), "usage")
    if usage:
        native = read_native(usage)
        reading = reading._replace(
            provider=seller_in(usage) or reading.provider,
            provider_cost=cost_in(usage),
            usage=completed(native.usage, reading.usage),
            usage_source="reported" if native.usage.known else reading.usage_source,
            billable=reading.billable or (native.usage.known and is_billed(reading.operation, span.name)),
            tier=reading.tier or text(usage.get("service_tier")),
            flaws=(*reading.flaws, *native.flaws),
            usage_spoiled=reading.usage_spoiled or native.spoiled,
        )
    return _placed(reading, span)


def _placed(reading: Reading, span: RawSpan) -> Reading:
    """Tell the two records of a stream from each other and from those of other calls."""
    if span.attributes.get(_RECORD) == "log":
        duration_s = seconds(span.attributes.get(_DURATION))
        return reading._replace(layer=STREAM_ENDED, stream=True, duration_s=duration_s)
    if reading.usage_source is None and not (reading.response_id or reading.error):
        return reading._replace(layer=STREAM_BEGAN)
    return reading


DIALECT = Dialect(
    name="logfire",
    scopes=("logfire.",),
    markers=(_USAGE, "logfire.msg_template"),
    rank=50,
    needles=(conventions.NEEDLE,),
    attributes=(*spellings.ATTRIBUTES, _USAGE, _OLD_RESPONSE, _RECORD, _DURATION),
    read=read,
)
