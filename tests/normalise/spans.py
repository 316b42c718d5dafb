"""Spans for tests, taken through `normalise`."""

from collections.abc import Mapping
from typing import Any

from llmlab_exporter.call import Call, Intake
from llmlab_exporter.normalise import normalise
from llmlab_exporter.reading.origin import Defaults
from llmlab_exporter.span import Decoded, RawSpan, Scope, SpanGroup, Value

NOW_NS = 1_795_000_000_000_000_000
"""2026-11-18."""
DAY_NS = 86_400 * 10**9

CHAT: Mapping[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-5-mini",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 1873,
    "gen_ai.usage.output_tokens": 317,
}


def span(attributes: Mapping[str, Value] = CHAT, **fields: Any) -> RawSpan:
    base = RawSpan(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        parent_id=b"",
        name="chat",
        kind=3,
        start_ns=NOW_NS - 2 * 10**9,
        end_ns=NOW_NS - 10**9,
        failed=False,
        attributes=attributes,
    )
    return base._replace(**fields)


def take(
    *spans: RawSpan,
    scope: str = "some.app",
    resource: Mapping[str, Value] | None = None,
    defaults: Defaults | None = None,
) -> Intake:
    group = SpanGroup(resource or {}, Scope(scope, "1"), spans)
    return normalise(Decoded([group]), defaults, latest_ns=NOW_NS + DAY_NS)


def call(attributes: Mapping[str, Value] = CHAT, *, scope: str = "some.app", **fields: Any) -> Call:
    """Return the call that a span amounts to."""
    [found] = take(span(attributes, **fields), scope=scope).calls
    return found
