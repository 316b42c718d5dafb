"""Recordings as other versions, other exporters and other libraries would have written them: read alike."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from decode.requests import PROTOBUF_LIBRARY, SPECIFIED, JsonStyle, as_json
from fixtures.recordings import RECORDINGS, Recording
from llmlab.usage import Usage
from llmlab_exporter.call import Call
from llmlab_exporter.decode import JSON, PROTOBUF, decode
from llmlab_exporter.dedupe import duplicates, merged
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.normalise import normalise
from llmlab_exporter.span import Decoded, Event, RawSpan, Scope, SpanGroup, Value

Change = Callable[[Decoded], Decoded]

MINUTES_NS = 7 * 60 * 10**9


class Told(NamedTuple):
    """What is known of a billed call, but for which span told it and when."""

    provider: str
    model: str
    request_model: str
    operation: str
    usage: tuple[int, ...]
    """Unknown counts as 0: whether a library writes a 0 is no difference."""
    usage_source: str
    flawed: bool
    spoiled: bool
    tier: str
    response_id: str
    user: str
    session: str
    feature: str
    provider_cost: float
    claimed_cost: float
    finish_reason: str
    error: str
    stream: bool | None
    first_chunk_s: float
    duration_ns: int


def told(call: Call) -> Told:
    reading = call.reading
    return Told(
        provider=call.provider,
        model=call.model,
        request_model=reading.request_model,
        operation=reading.operation,
        usage=tuple(count or 0 for count in reading.usage),
        usage_source=reading.usage_source or "",
        flawed=bool(reading.flaws),
        spoiled=reading.usage_spoiled,
        tier=reading.tier,
        response_id=reading.response_id,
        user=reading.user,
        session=reading.session,
        feature=reading.feature,
        provider_cost=float(reading.provider_cost or -1),
        claimed_cost=float(reading.claimed_cost or -1),
        finish_reason=reading.finish_reason,
        error=reading.error,
        stream=reading.stream,
        first_chunk_s=-1 if reading.first_chunk_s is None else reading.first_chunk_s,
        duration_ns=call.end_ns - call.start_ns,
    )


def billed(decoded: Decoded) -> list[Told]:
    intake = normalise(decoded, latest_ns=2**63)
    assert not intake.rejected
    calls = sorted(intake.calls, key=lambda call: (call.start_ns, call.end_ns, call.trace_id, call.span_id))
    repeats = duplicates(calls)
    left = merged(calls, repeats)
    return sorted_by_text(
        told(call) for position, call in enumerate(left) if position not in repeats and call.reading.billable
    )


def sorted_by_text(calls: Iterable[Told]) -> list[Told]:
    return sorted(calls, key=repr)


@cache
def everything(recording: Recording) -> Decoded:
    return decode(recording.body, PROTOBUF)


@cache
def as_recorded(recording: Recording) -> list[Told]:
    return billed(everything(recording))


def _libraries() -> dict[str, list[Recording]]:
    libraries: defaultdict[str, list[Recording]] = defaultdict(list)
    for recording in RECORDINGS:
        libraries[recording.path.partition("/")[0]].append(recording)
    return libraries


LIBRARIES = _libraries()

each_library = pytest.mark.parametrize("library", LIBRARIES)


def with_groups(change: Callable[[SpanGroup], SpanGroup]) -> Change:
    return lambda decoded: decoded._replace(groups=[change(group) for group in decoded.groups])


def with_spans(change: Callable[[RawSpan], RawSpan]) -> Change:
    return with_groups(lambda group: group._replace(spans=[change(span) for span in group.spans]))


def with_values(change: Callable[[Value], Value]) -> Change:
    def changed(said: Mapping[str, Value]) -> Mapping[str, Value]:
        return {key: change(value) for key, value in said.items()}

    return with_spans(
        lambda span: span._replace(
            attributes=changed(span.attributes),
            events=[event._replace(attributes=changed(event.attributes)) for event in span.events],
        )
    )


def with_scopes(change: Callable[[Scope], Scope]) -> Change:
    return with_groups(lambda group: group._replace(scope=change(group.scope)))


def in_text(value: Value) -> Value:
    """Write a value as exporters do whose attributes are all texts."""
    if isinstance(value, bool | tuple):
        return json.dumps(value)
    return str(value) if isinstance(value, int | float) else value


def mapped(value: Value) -> Value:
    """Return what a JSON object says as a map, as an exporter with structured attributes sends it."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        return frozen(json.loads(value))
    except ValueError:
        return value


def frozen(value: Any) -> Value:
    if isinstance(value, dict):
        inner: dict[Any, Any] = value
        return {str(key): frozen(each) for key, each in inner.items()}
    if isinstance(value, list):
        items: list[Any] = value
        return tuple(frozen(each) for each in items)
    return value


def shuffled(decoded: Decoded) -> Decoded:
    order = random.Random(1)  # noqa: S311 - the same order in every run
    groups = [group._replace(spans=order.sample(group.spans, len(group.spans))) for group in decoded.groups]
    return decoded._replace(groups=order.sample(groups, len(groups)))


def children_first(decoded: Decoded) -> Decoded:
    """Give each span a group of its own, those that end first before the others."""
    groups = [group._replace(spans=[span]) for group in decoded.groups for span in group.spans]
    return decoded._replace(groups=sorted(groups, key=lambda group: group.spans[0].end_ns))


def parents_first(decoded: Decoded) -> Decoded:
    return decoded._replace(groups=list(reversed(children_first(decoded).groups)))


FOREIGN: Mapping[str, Value] = {
    "http.request.method": "POST",
    "server.port": 443,
    "thread.id": 12,
    "code.function.name": "f",
    "acme.flag": True,
    "acme.labels": ("a", "b"),
    "gen_ai.acme.score": 7,
    "llm.acme.cache": "hit",
}


def with_foreign_attributes(span: RawSpan) -> RawSpan:
    return span._replace(attributes={**FOREIGN, **span.attributes})


def among_other_spans(decoded: Decoded) -> Decoded:
    """Put the HTTP client's span below each span, and framework's and database's spans around and beside them."""
    groups: list[SpanGroup] = []
    for number, group in enumerate(decoded.groups):
        http = [
            span._replace(
                span_id=bytes([0xAA, number, *span.span_id[2:]]),
                parent_id=span.span_id,
                name="POST",
                attributes={
                    "http.request.method": "POST",
                    "url.full": "https://api.openai.com/v1/chat/completions",
                    "server.address": "api.openai.com",
                    "http.response.status_code": 200,
                },
                events=[],
            )
            for span in group.spans
        ]
        framework = [
            span._replace(
                span_id=bytes([0xBB, number, *span.span_id[2:]]),
                parent_id=b"",
                name="invoke_workflow w",
                attributes={"gen_ai.operation.name": "invoke_workflow", "gen_ai.conversation.id": "c", "user.id": "u"},
                events=[],
            )
            for span in group.spans
        ]
        database = [
            span._replace(
                span_id=bytes([0xCC, number, *span.span_id[2:]]),
                name="SELECT",
                attributes={"db.system.name": "postgresql", "db.query.text": "select usage from llm"},
                events=[],
            )
            for span in group.spans
        ]
        groups += [
            group._replace(scope=Scope("opentelemetry.instrumentation.httpx", "0.66b2"), spans=http),
            group._replace(scope=Scope("acme.workflows", "1"), spans=framework),
            group,
            group._replace(scope=Scope("opentelemetry.instrumentation.psycopg", "0.66b2"), spans=database),
        ]
    return decoded._replace(groups=groups)


def elsewhere(group: SpanGroup) -> SpanGroup:
    return group._replace(resource={"service.name": "other", "service.version": "9", "k8s.pod.name": "p"})


def renumbered(span: RawSpan) -> RawSpan:
    """Change all ids in the same way."""
    return span._replace(
        trace_id=other_id(span.trace_id),
        span_id=other_id(span.span_id),
        parent_id=other_id(span.parent_id),
    )


def other_id(identity: bytes) -> bytes:
    return bytes(0xFF - byte for byte in identity)


def later(span: RawSpan) -> RawSpan:
    """Move a span by minutes; one that says a moment in words stays where it is."""
    if any("start_time" in key for key in span.attributes):
        return span
    return span._replace(
        start_ns=span.start_ns + MINUTES_NS,
        end_ns=span.end_ns + MINUTES_NS,
        events=[event._replace(time_ns=event.time_ns + MINUTES_NS) for event in span.events],
    )


SAME: dict[str, Change] = {
    "doubles": with_values(lambda value: float(value) if type(value) is int else value),
    "integers in texts": with_values(lambda value: str(value) if type(value) is int else value),
    "doubles in texts": with_values(lambda value: str(float(value)) if type(value) is int else value),
    "all in texts": with_values(in_text),
    "maps": with_values(mapped),
    "no version": with_scopes(lambda scope: Scope(scope.name, "")),
    "next major version": with_scopes(lambda scope: Scope(scope.name, "99.1.0rc2")),
    "shuffled": shuffled,
    "children first": children_first,
    "parents first": parents_first,
    "foreign attributes": with_spans(with_foreign_attributes),
    "other spans": among_other_spans,
    "other resource": with_groups(elsewhere),
    "no resource": with_groups(lambda group: group._replace(resource={})),
    "other ids": with_spans(renumbered),
    "other kind": with_spans(lambda span: span._replace(kind=2)),
}

TOLD_BY_VERSION = {
    "pydantic-ai-slim-0.2.12/event_modeattributes_anthropic_stream.pb",
    "pydantic-ai-slim-0.8.1/version2_anthropic_stream.pb",
}
"""Whose usage is wrong in early versions, and nothing but the version says so."""


@each_library
@pytest.mark.parametrize("change", SAME)
def test_the_same_calls_written_otherwise_are_read_alike(library: str, change: str) -> None:
    for recording in LIBRARIES[library]:
        if change == "next major version" and recording.path in TOLD_BY_VERSION:
            continue
        assert billed(SAME[change](everything(recording))) == as_recorded(recording), recording.path


@pytest.mark.parametrize("change", SAME)
def test_each_change_changes_something(change: str) -> None:
    assert any(
        repr(SAME[change](everything(recording))) != repr(everything(recording)) for recording in RECORDINGS[::9]
    )


def test_calls_of_another_time_are_read_alike() -> None:
    """Spans of one recording move together, so all of its spans or none say a moment in words."""
    for recording in RECORDINGS:
        decoded = everything(recording)
        spans = [span for group in decoded.groups for span in group.spans]
        if all(later(span) is not span for span in spans):
            assert billed(with_spans(later)(decoded)) == as_recorded(recording), recording.path


@each_library
@pytest.mark.parametrize("style", [SPECIFIED, PROTOBUF_LIBRARY], ids=["specified", "protobuf library"])
def test_json_says_what_protobuf_says(library: str, style: JsonStyle) -> None:
    for recording in LIBRARIES[library]:
        body = as_json(ExportTraceServiceRequest.FromString(recording.body), style)
        assert billed(decode(body, JSON, WANTED)) == as_recorded(recording), recording.path


def numbers(calls: list[Told]) -> list[tuple[int, ...]]:
    """Sum up what is billed, but not how it is split by lifetime or modality."""
    return sorted(call.usage[:4] for call in calls)


def is_usage(key: str) -> bool:
    return "usage" in key or "token" in key


def on_event(span: RawSpan) -> RawSpan:
    """Move all usage from a span to an event on it."""
    kept = {key: value for key, value in span.attributes.items() if not is_usage(key)}
    usage = {key: value for key, value in span.attributes.items() if is_usage(key)}
    event = Event("gen_ai.usage", span.end_ns, usage)
    return span._replace(attributes=kept, events=[*span.events, event]) if usage else span


@each_library
def test_usage_on_events_is_that_of_the_span(library: str) -> None:
    for recording in LIBRARIES[library]:
        assert numbers(billed(with_spans(on_event)(everything(recording)))) == numbers(as_recorded(recording))


class TestStrangers:
    """Forks, renamed libraries, and pipelines that drop the scope."""

    TOLD_BY_SCOPE = frozenset(
        {
            "nested-openinference-langchain+openai/langchain_chat_stream.pb",
            "nested-openinference-langchain+openai/langchain_chat_stream__parent.pb",
            "nested-openinference-langchain+openai/langchain_stream_parallel.pb",
            "nested-traceloop-langchain+openai-0.62.4/langchain_responses__parent.pb",
        }
    )
    """Two instrumentations that write alike, beside each other: nothing but the scope tells them from two calls."""

    @each_library
    def test_renamed_ones_are_read_alike_or_doubted(self, library: str) -> None:
        renamed = with_scopes(lambda scope: Scope(f"tracer-{sum(scope.name.encode())}", scope.version))
        for recording in LIBRARIES[library]:
            self.compare(billed(renamed(everything(recording))), recording)

    @each_library
    def test_without_any_scope_they_are_read_alike_or_doubted(self, library: str) -> None:
        nameless = with_scopes(lambda _: Scope("", ""))
        for recording in LIBRARIES[library]:
            found = billed(nameless(everything(recording)))
            if recording.path in self.TOLD_BY_SCOPE:
                assert len(found) == 2 * len(as_recorded(recording))
            else:
                self.compare(found, recording)

    def compare(self, found: list[Told], recording: Recording) -> None:
        expected = as_recorded(recording)
        assert numbers(found) == numbers(expected), recording.path
        assert [call.provider for call in found] == [call.provider for call in expected], recording.path
        assert [call.model for call in found] == [call.model for call in expected], recording.path
        for mine, theirs in zip(by_usage(found), by_usage(expected), strict=True):
            assert not theirs.flawed or mine.flawed or mine.usage_source != "reported", recording.path


def by_usage(calls: list[Told]) -> list[Told]:
    return sorted(calls, key=lambda call: (call.usage, call.response_id))


def of_service(recording: Recording, service: str) -> list[SpanGroup]:
    return [
        group._replace(resource={**group.resource, "service.name": service}) for group in everything(recording).groups
    ]


def test_two_services_in_one_request_are_told_apart() -> None:
    order = random.Random(2).sample(RECORDINGS, len(RECORDINGS))  # noqa: S311 - the same order in every run
    for one, other in pairwise(order):
        together = Decoded([*of_service(one, "one"), *of_service(other, "other")])
        assert billed(together) == sorted_by_text([*as_recorded(one), *as_recorded(other)]), (one, other)


def test_the_same_calls_of_two_services_at_once_are_twice_as_many() -> None:
    """All but the ids is equal, so only who made them tells the calls of two services from one call told twice."""
    for recording in RECORDINGS:
        nameless = without_responses(recording)
        again = with_spans(renumbered)(with_groups(of_other_service)(nameless))
        alone = billed(nameless)
        assert billed(Decoded([*nameless.groups, *again.groups])) == sorted_by_text([*alone, *alone]), recording.path


def of_other_service(group: SpanGroup) -> SpanGroup:
    name = f"other {group.resource.get('service.name')}"
    return group._replace(resource={**group.resource, "service.name": name})


def without_responses(recording: Recording) -> Decoded:
    """Take away what names the responses: ids, and the answers that carry them."""
    ids = [each["response_id"] for each in recording.calls if each.get("response_id")]

    def is_kept(key: str, value: Value) -> bool:
        return not key.endswith(("response.id", "metadata.id", "llm.None.id")) and not any(
            each in repr(value) for each in ids
        )

    return with_spans(
        lambda span: span._replace(
            attributes={key: value for key, value in span.attributes.items() if is_kept(key, value)}
        )
    )(everything(recording))


def test_there_is_something_to_compare() -> None:
    calls = [call for recording in RECORDINGS for call in as_recorded(recording)]
    assert len(calls) > 500
    assert sum(call.usage != tuple(Usage._make(0 for _ in Usage._fields)) for call in calls) > 400
