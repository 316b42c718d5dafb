"""Calls whose true cost is known beforehand, worked out with the price library itself and not with our pricing."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from genai_prices import Usage, calc_price
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

MODELS = (
    ("openai", "gpt-5-mini-2025-08-07"),
    ("openai", "gpt-4o-2024-08-06"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("openai", "a-model-nobody-has-a-price-for"),
)
SIZES = ((1_000, 100, 0), (1_873, 317, 1_152), (250_001, 4_096, 200_000))
"""Input, output and cached input tokens; the last one is above a long-context threshold."""

_SECOND_NS = 1_000_000_000
_FRAMEWORK = 1 << 40
"""What the ids of a framework's spans are higher by. Those of odd calls are in the trace of the call, around it."""


class Made(NamedTuple):
    """One call, before it is a span."""

    number: int
    """Its ids are made from this."""
    provider: str
    model: str
    tokens: tuple[int, int, int]
    end_ns: int
    scope: str = "opentelemetry.instrumentation.genai.openai"


@dataclass(slots=True)
class Totals:
    """What the exporter must say of calls."""

    calls: int = 0
    unpriced: int = 0
    input: int = 0
    output: int = 0
    cost_usd: Decimal = field(default_factory=Decimal)

    def add(self, call: Made) -> None:
        """Count a call."""
        cost = true_cost(call.provider, call.model, call.tokens)
        self.calls += 1
        self.unpriced += cost is None
        self.input += call.tokens[0]
        self.output += call.tokens[1]
        self.cost_usd += cost or 0


def calls(count: int, now_ns: int, seed: int, spread_s: int = 7_200) -> list[Made]:
    """Make calls of the last `spread_s` seconds."""
    dice = random.Random(seed)  # noqa: S311 - the same calls in every run
    made: list[Made] = []
    for number in range(1, count + 1):
        provider, model = dice.choice(MODELS)
        end_ns = now_ns - dice.randrange(spread_s * _SECOND_NS)
        made.append(Made(number, provider, model, dice.choice(SIZES), end_ns))
    return made


def seen_by_a_framework(made: Sequence[Made], share: float, seed: int) -> list[Made]:
    """Return a second record of some calls, as a framework makes it around its SDK: it is no further call."""
    dice = random.Random(seed)  # noqa: S311 - as above
    some = dice.sample(made, round(share * len(made)))
    return [call._replace(scope="opentelemetry.instrumentation.genai.langchain") for call in some]


def truth(made: Iterable[Made]) -> dict[str, Totals]:
    """Return the totals by model."""
    totals: dict[str, Totals] = {}
    for call in made:
        totals.setdefault(call.model, Totals()).add(call)
    return totals


@cache
def true_cost(provider: str, model: str, tokens: tuple[int, int, int]) -> Decimal | None:
    """Return the price of a call by the library's own arithmetic, None when it knows none."""
    usage = Usage(input_tokens=tokens[0], output_tokens=tokens[1], cache_read_tokens=tokens[2])
    try:
        return calc_price(usage, model, provider_id=provider).total_price
    except LookupError:
        return None


def request(made: Sequence[Made]) -> bytes:
    """Serialise calls as an export request of OpenTelemetry's own instrumentations."""
    scopes: dict[str, ScopeSpans] = {}
    for call in made:
        scope = scopes.setdefault(call.scope, ScopeSpans())
        scope.scope.name = call.scope
        scope.spans.append(_span(call))
    return ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=scopes.values())]).SerializeToString()


def _span(call: Made) -> Span:
    input_tokens, output_tokens, cached = call.tokens
    is_framework = call.scope.endswith("langchain")
    is_nested = call.number % 2 == 1
    return Span(
        trace_id=(call.number + _FRAMEWORK * (is_framework and not is_nested)).to_bytes(16, "big"),
        parent_span_id=(call.number + _FRAMEWORK).to_bytes(8, "big") if is_nested and not is_framework else b"",
        span_id=(call.number + _FRAMEWORK * is_framework).to_bytes(8, "big"),
        name=f"chat {call.model}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=call.end_ns - _SECOND_NS,
        end_time_unix_nano=call.end_ns,
        attributes=[
            _text("gen_ai.operation.name", "chat"),
            _text("gen_ai.provider.name", call.provider),
            _text("gen_ai.request.model", call.model),
            _text("gen_ai.response.model", call.model),
            _text("gen_ai.response.id", f"resp-{call.number:012}"),
            _number("gen_ai.usage.input_tokens", input_tokens),
            _number("gen_ai.usage.output_tokens", output_tokens),
            _number("gen_ai.usage.cache_read.input_tokens", cached),
        ],
    )


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))
