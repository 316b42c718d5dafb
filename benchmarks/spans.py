"""Export requests for the benchmark: realistic spans, distinct ids, made fast."""

import os
import time
from collections.abc import Iterator
from itertools import cycle
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SPANS_PER_REQUEST = 512
"""The batch size of OpenTelemetry's SDKs."""

_MODELS = ("gpt-5-mini-2025-08-07", "gpt-4o-mini-2024-07-18", "gpt-5-2025-08-07", "gpt-4o-2024-08-06")
_TRACE_MARK = b"\xffTRACE-ID-HERE!\xff"
_SPAN_MARK = b"\xffSPANID\xff"
_RESPONSE_MARK = b"0123456789abcdefRESPONSE"

_TEMPLATES = 16
"""Requests that differ in their token counts, so that 8,192 spans in a row do."""


def requests(spans: int) -> Iterator[tuple[int, bytes]]:
    """Yield (number of spans, serialised request) until `spans` have been made.

    Ids of spans and responses are random, so they never repeat. Token counts are random too, and repeat only after many
    spans: what repeats is cheaper to read than what applications send.
    """
    dice = Random(1)  # noqa: S311 - the same in every run
    templates = cycle([_request(SPANS_PER_REQUEST, dice).SerializeToString() for _ in range(_TEMPLATES)])
    while spans >= SPANS_PER_REQUEST:
        yield SPANS_PER_REQUEST, _with_ids(next(templates))
        spans -= SPANS_PER_REQUEST
    if spans:
        yield spans, _with_ids(_request(spans, dice).SerializeToString())


def _with_ids(template: bytes) -> bytes:
    """Replace the marks by random ids of the same length: a hundred times faster than building the message anew."""
    parts = template.split(_TRACE_MARK)
    pieces = [parts[0]]
    for part in parts[1:]:
        trace_id = os.urandom(16)
        named = part.replace(_SPAN_MARK, os.urandom(8), 1)
        pieces += (trace_id, named.replace(_RESPONSE_MARK, trace_id[:12].hex().encode(), 1))
    return b"".join(pieces)


def _request(spans: int, dice: Random) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(
        [_text("service.name", "checkout"), _text("deployment.environment.name", "production")]
    )
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.genai.openai"
    scope.scope.version = "1.3b0"
    now = time.time_ns()
    scope.spans.extend([_span(number, now - 3_000_000_000 + number, dice) for number in range(spans)])
    return request


def _span(number: int, start_ns: int, dice: Random) -> Span:
    model = _MODELS[number % len(_MODELS)]
    cached, asked = dice.randrange(1_024), dice.randrange(8_000)
    thought, answered = dice.randrange(500), dice.randrange(1_000)
    return Span(
        trace_id=_TRACE_MARK,
        span_id=_SPAN_MARK,
        name=f"chat {model}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + 1_500_000_000 + number * 1_000_003,
        attributes=[
            _text("gen_ai.operation.name", "chat"),
            _text("gen_ai.provider.name", "openai"),
            _text("gen_ai.request.model", model.rpartition("-20")[0]),
            _text("gen_ai.response.model", model),
            _text("gen_ai.response.id", f"chatcmpl-{_RESPONSE_MARK.decode()}"),
            _text("server.address", "api.openai.com"),
            _number("server.port", 443),
            _number("gen_ai.usage.input_tokens", cached + asked),
            _number("gen_ai.usage.output_tokens", thought + answered),
            _number("gen_ai.usage.cache_read.input_tokens", cached),
            _number("gen_ai.usage.reasoning.output_tokens", thought),
            _number("gen_ai.request.max_tokens", 4096),
            _text("openai.response.service_tier", "default"),
            _text("openai.response.system_fingerprint", "fp_0123456789"),
            _text("openai.api.type", "chat_completions"),
            _text("user.id", f"user-{number % 97}"),
            _text("session.id", f"session-{number % 211}"),
            _text("http.route", "/checkout/summary"),
            *([_text("gen_ai.input.messages", "x" * 2048)] if number % 2 else []),
        ],
    )


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))
