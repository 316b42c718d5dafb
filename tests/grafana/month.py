"""Two months of LLM calls of an imagined company, as OTLP requests: office hours, growth, one spike, and some mess.

The same numbers make the same calls, whenever they run. Nothing here has a price: the exporter says what calls cost.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from llmlab import semconv

END = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
"""A Friday morning."""

DAYS = 61
SPIKE = datetime(2026, 11, 17, 13, 0, tzinfo=UTC)
SPIKE_HOURS = 4
SWITCHED = datetime(2026, 11, 10, 10, 0, tzinfo=UTC)
"""When a service went from one model to another."""

_SPANS_PER_REQUEST = 1_000


class Model(NamedTuple):
    """How a model answers."""

    provider: str
    name: str
    tokens_per_s: float
    reasons: bool = False


MODELS = {
    model.name: model
    for model in (
        Model("openai", "gpt-5", 60, reasons=True),
        Model("openai", "gpt-5-mini", 120, reasons=True),
        Model("openai", "gpt-4o", 80),
        Model("openai", "gpt-4o-mini", 110),
        Model("openai", "text-embedding-3-small", 0),
        Model("anthropic", "claude-sonnet-4-5", 70),
        Model("anthropic", "claude-haiku-4-5", 140),
        Model("anthropic", "claude-opus-4-1", 40),
        Model("gcp.gen_ai", "gemini-2.5-flash", 180),
        Model("gcp.gen_ai", "gemini-2.5-pro", 75, reasons=True),
        Model("", "house-tuned-7b", 90),
    )
}


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of call that a service makes."""

    project: str
    service: str
    environment: str
    feature: str
    model: str
    per_day: float
    """Calls on an ordinary weekday, at the end of the time."""
    input: int
    """Median tokens."""
    output: int
    cached: float = 0.0
    """Share of the input that is mostly read from a cache."""
    written: float = 0.0
    """Share of calls that write that share of the input to the cache instead."""
    batch: bool = False
    nightly: bool = False
    sessions: bool = False
    growth: float = 0.4
    """How much more it is at the end than at the beginning."""
    until: datetime | None = None
    since: datetime | None = None
    operation: str = "chat"


WORK = (
    Work("search", "search-api", "production", "answer", "gpt-4o", 520, 5200, 420, 0.35, until=SWITCHED),
    Work("search", "search-api", "production", "answer", "gpt-5-mini", 560, 5200, 640, 0.45, since=SWITCHED),
    Work("search", "search-api", "production", "rewrite", "gpt-4o-mini", 900, 600, 60),
    Work("search", "indexer", "production", "index", "text-embedding-3-small", 700, 2600, 0, operation="embeddings"),
    Work("search", "search-api", "staging", "answer", "gpt-5", 40, 5200, 900),
    Work("support", "assistant", "production", "reply", "claude-sonnet-4-5", 420, 9000, 520, 0.7, 0.08, sessions=True),
    Work("support", "assistant", "production", "title", "claude-haiku-4-5", 420, 900, 20, sessions=True),
    Work("support", "triage", "production", "classify", "gemini-2.5-flash", 800, 1400, 30),
    Work("support", "triage", "production", "summary", "claude-haiku-4-5", 260, 14000, 140, 0.6, 0.7),
    Work("support", "digests", "production", "digest", "claude-haiku-4-5", 40, 9000, 500, 0.8, 1.0),
    Work("platform", "code-review", "production", "review", "claude-sonnet-4-5", 150, 26000, 1500, 0.6, 0.12),
    Work("platform", "code-review", "production", "review", "claude-opus-4-1", 14, 18000, 1200, growth=1.5),
    Work("platform", "code-review", "production", "", "gemini-2.5-pro", 60, 15000, 1800, growth=0.1),
    Work("research", "reports", "production", "extract", "gpt-5-mini", 420, 9000, 700, batch=True, nightly=True),
    Work("research", "notebooks", "production", "", "gpt-5", 70, 7000, 1600, 0.2),
    Work("research", "notebooks", "production", "", "house-tuned-7b", 45, 3000, 400),
    Work("research", "notebooks", "staging", "evaluate", "gpt-4o", 60, 3200, 300),
)

_HOURS = (2, 1, 1, 1, 1, 2, 6, 20, 60, 85, 95, 90, 70, 85, 95, 90, 75, 50, 28, 18, 12, 8, 5, 3)
_NIGHT = (95, 100, 100, 60, 20, *[2] * 19)


class MadeCall(NamedTuple):
    """One call, before it is a span."""

    work: Work
    start: datetime
    number: int
    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int
    duration_s: float
    error: str
    is_broken_off: bool
    user: str
    session: str


def calls(share: float = 1.0, days: int = DAYS) -> Iterator[MadeCall]:
    """Make the calls in the order in which they began; `share` thins them out."""
    dice = Random(20261120)  # noqa: S311 - the same calls each time
    begin = END - timedelta(days=days)
    number = 0
    for hour in range(days * 24):
        start = begin + timedelta(hours=hour)
        for work in WORK:
            if (work.until and start >= work.until) or (work.since and start < work.since):
                continue
            for _ in range(_poisson(dice, share * _per_hour(work, start, hour / (days * 24)))):
                number += 1
                yield _call(dice, work, start + timedelta(seconds=dice.random() * 3600), number)


def _per_hour(work: Work, start: datetime, progress: float) -> float:
    hours = _NIGHT if work.nightly else _HOURS
    weekend = 0.22 if start.weekday() >= 5 and not work.nightly else 1.0
    grown = (1 + work.growth * progress) / (1 + work.growth)
    looping = 7.0 if work.feature == "summary" and SPIKE <= start < SPIKE + timedelta(hours=SPIKE_HOURS) else 1.0
    return work.per_day * hours[start.hour] / sum(hours) * weekend * grown * looping


def _poisson(dice: Random, mean: float) -> int:
    limit, product, count = math.exp(-min(mean, 500)), dice.random(), 0
    while product > limit:
        product *= dice.random()
        count += 1
    return count


def _call(dice: Random, work: Work, start: datetime, number: int) -> MadeCall:
    model = MODELS[work.model]
    spread = dice.lognormvariate(0, 0.55)
    if work.feature == "summary" and SPIKE <= start < SPIKE + timedelta(hours=SPIKE_HOURS):
        spread *= 5  # the whole thread instead of the last message
    if dice.random() < 0.001:
        spread *= 14  # somebody pasted a whole document
    tokens = min(max(int(work.input * spread), 12), 190_000)
    output = int(work.output * dice.lognormvariate(0, 0.6))
    read = written = 0
    if work.written and dice.random() < work.written:
        written = int(tokens * work.cached)
    elif work.cached and dice.random() < 0.8:
        read = int(tokens * min(work.cached * dice.uniform(0.7, 1.25), 0.95))
    error = _error(dice, model, start)
    if error:
        output = 0 if error != "timeout" else output // 3
    duration = 0.25 + dice.lognormvariate(0, 0.4) * (0.3 + output / (model.tokens_per_s or 1e9) + tokens / 40_000)
    who = int(dice.paretovariate(1.1)) % 90
    return MadeCall(
        work=work,
        start=start,
        number=number,
        input=tokens,
        output=output,
        cache_read=read,
        cache_write=written,
        reasoning=int(output * dice.uniform(0.3, 0.7)) if model.reasons else 0,
        duration_s=30.0 if error == "timeout" else duration,
        error=error,
        is_broken_off=not error and work.sessions and dice.random() < 0.015,
        user=f"user-{who:02}" if work.project in {"support", "search"} else "",
        session=f"session-{who:02}-{start:%m%d}" if work.sessions else "",
    )


def _error(dice: Random, model: Model, start: datetime) -> str:
    rate = 0.008
    if model.provider == "anthropic" and start.date() == (END - timedelta(days=1)).date() and start.hour == 15:
        rate = 0.3
    if dice.random() > rate:
        return ""
    return dice.choice(("rate_limit_error", "rate_limit_error", "timeout", "overloaded_error"))


def requests(made: Iterator[MadeCall]) -> Iterator[bytes]:
    """Turn calls into serialised export requests."""
    waiting: list[MadeCall] = []
    for call in made:
        waiting.append(call)
        if len(waiting) == _SPANS_PER_REQUEST:
            yield _request(waiting)
            waiting = []
    if waiting:
        yield _request(waiting)


def _request(made: list[MadeCall]) -> bytes:
    by_service: dict[tuple[str, str, str], list[MadeCall]] = {}
    for call in made:
        by_service.setdefault((call.work.project, call.work.service, call.work.environment), []).append(call)
    request = ExportTraceServiceRequest()
    for (project, service, environment), members in by_service.items():
        spans = ResourceSpans()
        spans.resource.attributes.extend(
            [
                _text(semconv.ORG, "example"),
                _text(semconv.PROJECT, project),
                _text("service.name", service),
                _text("deployment.environment.name", environment),
            ]
        )
        own = ScopeSpans(spans=[_span(call) for call in members])
        own.scope.name = "llmlab.instrumentation.openai"
        spans.scope_spans.append(own)
        if service == "notebooks":  # watched by a second instrumentation
            other = ScopeSpans(spans=[_second(call) for call in members])
            other.scope.name = "opentelemetry.instrumentation.genai.openai"
            spans.scope_spans.append(other)
        request.resource_spans.append(spans)
    return request.SerializeToString()


def _span(call: MadeCall) -> Span:
    work, model = call.work, MODELS[call.work.model]
    counts = {
        "input": call.input,
        "output": call.output,
        "cache_read": call.cache_read,
        "cache_write": call.cache_write,
        "cache_write_5m": call.cache_write,
        "reasoning": call.reasoning,
    }
    is_silent = call.error not in {"", "timeout"}
    attributes = [
        _text(semconv.OPERATION, work.operation),
        _text(semconv.PROVIDER, model.provider),
        _text(semconv.REQUEST_MODEL, model.name),
        _text(semconv.FEATURE, work.feature),
        _text(semconv.USER, call.user),
        _text(semconv.SESSION, call.session),
        _text(semconv.ERROR_TYPE, call.error),
        _text(semconv.USAGE_SOURCE, semconv.USAGE_PARTIAL if call.is_broken_off else ""),
    ]
    attributes = [each for each in attributes if each.value.string_value]
    if not is_silent:
        attributes += [
            _text(semconv.RESPONSE_MODEL, model.name),
            _text(semconv.RESPONSE_ID, f"resp-{call.number}"),
            *(_number(semconv.USAGE_ATTRIBUTES[name], count) for name, count in counts.items() if count),
        ]
    if work.batch:
        attributes.append(KeyValue(key=semconv.BATCH, value=AnyValue(bool_value=True)))
    start_ns = int(call.start.timestamp() * 1e9)
    return Span(
        trace_id=_trace_id(call),
        span_id=call.number.to_bytes(8, "big"),
        name=f"{work.operation} {model.name}",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + int(call.duration_s * 1e9),
        attributes=attributes,
    )


def _second(call: MadeCall) -> Span:
    """Tell of the same call once more, as another instrumentation below ours would."""
    span = _span(call)
    span.parent_span_id = span.span_id
    span.span_id = (call.number + (1 << 62)).to_bytes(8, "big")
    span.start_time_unix_nano += 1_000
    span.end_time_unix_nano -= 1_000
    kept = [each for each in span.attributes if not each.key.startswith("llmlab.")]
    del span.attributes[:]
    span.attributes.extend(kept)
    return span


def _trace_id(call: MadeCall) -> bytes:
    """Reviews are agents: several calls in a row belong to one trace."""
    if call.work.feature == "review":
        return Random(int(call.start.timestamp()) // 900).randbytes(16)  # noqa: S311
    return Random(-call.number).randbytes(16)  # noqa: S311


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _number(key: str, value: int) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(int_value=value))
