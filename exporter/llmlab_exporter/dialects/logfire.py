"""Logfire's instrumentations of SDKs.

They follow the conventions, and carry the provider's usage object as JSON; before version 5 some spans have nothing but
the request and the response as JSON. The usage of a stream is in a record of its own, made when the stream has ended: a
span without duration that says how long the stream took. Recorded: 4.13.2 and 5.2.0, with and without the spans of
Anthropic's SDK, and 5.2.0 with the OpenAI Agents SDK.
"""

from llmlab_exporter.call import STREAM_BEGAN, STREAM_ENDED, Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, spellings
from llmlab_exporter.reading.blobs import field_at, fields_of
from llmlab_exporter.reading.counts import completed
from llmlab_exporter.reading.native import cost_in, read_native, seller_in
from llmlab_exporter.reading.operations import is_billed
from llmlab_exporter.reading.values import named, seconds, text
from llmlab_exporter.span import RawSpan, Scope

_USAGE = "gen_ai.usage.raw"
_OLD_RESPONSE = "response_data"
_REQUEST = "request_data"
_OLD_SCOPE = "logfire.anthropic"
_RESPONSE_ID = "response_id"
"""Of the OpenAI Agents SDK."""
_RECORD = "logfire.span_type"
_DURATION = "duration"


def read(span: RawSpan, scope: Scope) -> Reading | None:
    """Read one span."""
    said = span.attributes
    reading = spellings.read(span) or _read_old(span, scope)
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
            response_id=reading.response_id or text(said.get(_RESPONSE_ID)),
            billable=reading.billable or (native.usage.known and is_billed(reading.operation, span.name)),
            tier=reading.tier or text(usage.get("service_tier")),
            flaws=(*reading.flaws, *native.flaws),
            usage_spoiled=reading.usage_spoiled or native.spoiled,
        )
    return _placed(_unbilled_failure(reading), span)


def _read_old(span: RawSpan, scope: Scope) -> Reading | None:
    """Read a span that says only in JSON what was asked for; None if it does not."""
    request_model = named(fields_of(span.attributes.get(_REQUEST)).get("model"))
    if not request_model:
        return None
    error = text(span.attributes.get("error.type")) or (conventions.UNNAMED_ERROR if span.failed else "")
    provider = "anthropic" if scope.name == _OLD_SCOPE else ""
    return Reading(operation="chat", billable=not error, provider=provider, request_model=request_model, error=error)


def _unbilled_failure(reading: Reading) -> Reading:
    """Logfire names the model that was asked for as the one that answered, even where nobody did."""
    answered = reading.response_id or reading.usage_source or reading.response_model != reading.request_model
    return reading if answered or not reading.error else reading._replace(billable=False)


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
    needles=(conventions.NEEDLE, _REQUEST),
    attributes=(*spellings.ATTRIBUTES, _USAGE, _OLD_RESPONSE, _REQUEST, _RESPONSE_ID, _RECORD, _DURATION),
    read=read,
)
