"""Recordings as other versions, other exporters and other libraries would have written them: read alike."""

import json
from collections.abc import Callable

import pytest

from fixtures.recordings import RECORDINGS, Recording
from llmlab_exporter.call import Call
from llmlab_exporter.decode import PROTOBUF, decode
from llmlab_exporter.dedupe import duplicates, merged
from llmlab_exporter.normalise import normalise
from llmlab_exporter.span import Decoded, Event, RawSpan, Scope, SpanGroup, Value

Numbers = tuple[int | None, ...]
Change = Callable[[SpanGroup], SpanGroup]


def billed(decoded: Decoded) -> list[Call]:
    calls = normalise(decoded, latest_ns=2**63).calls
    repeats = duplicates(calls)
    left = merged(calls, repeats)
    return [call for position, call in enumerate(left) if position not in repeats and call.reading.billable]


def numbers(calls: list[Call]) -> list[Numbers]:
    usages = [call.reading.usage for call in calls]
    return sorted((each.input or 0, each.output or 0, each.cache_read or 0, each.cache_write or 0) for each in usages)


def with_spans(group: SpanGroup, change: Callable[[RawSpan], RawSpan]) -> SpanGroup:
    return group._replace(spans=[change(span) for span in group.spans])


def with_values(group: SpanGroup, change: Callable[[Value], Value]) -> SpanGroup:
    def changed(span: RawSpan) -> RawSpan:
        return span._replace(attributes={key: change(value) for key, value in span.attributes.items()})

    return with_spans(group, changed)


def of_another_version(group: SpanGroup) -> SpanGroup:
    return group._replace(scope=Scope(group.scope.name, "99.1.0rc2"))


def in_doubles(group: SpanGroup) -> SpanGroup:
    return with_values(group, lambda value: float(value) if type(value) is int else value)


def in_texts(group: SpanGroup) -> SpanGroup:
    return with_values(group, lambda value: str(value) if type(value) is int else value)


def in_maps(group: SpanGroup) -> SpanGroup:
    return with_values(group, mapped)


def mapped(value: Value) -> Value:
    """Return what a JSON object says as a map, as an exporter with structured attributes sends it."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        return frozen(json.loads(value))
    except ValueError:
        return value


def frozen(value: object) -> Value:
    match value:
        case dict():
            return {str(key): frozen(inner) for key, inner in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list():
            return tuple(frozen(inner) for inner in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case str() | int() | float() | None:
            return value
        case _:
            raise TypeError(type(value))


def on_events(group: SpanGroup) -> SpanGroup:
    """Move all usage from the spans to events on them."""

    def moved(span: RawSpan) -> RawSpan:
        kept = {key: value for key, value in span.attributes.items() if not is_usage(key)}
        usage = {key: value for key, value in span.attributes.items() if is_usage(key)}
        event = Event("gen_ai.usage", span.end_ns, usage)
        return span._replace(attributes=kept, events=[*span.events, event]) if usage else span

    return with_spans(group, moved)


def is_usage(key: str) -> bool:
    return "usage" in key or "token" in key


def from_a_stranger(group: SpanGroup) -> SpanGroup:
    return group._replace(scope=Scope(f"acme.{group.scope.name}", group.scope.version))


TOLD = [recording for recording in RECORDINGS if recording.recoverable != "call only"]


@pytest.mark.parametrize("change", [of_another_version, in_doubles, in_texts, in_maps, on_events, from_a_stranger])
@pytest.mark.parametrize("recording", TOLD, ids=str)
def test_the_same_calls_written_otherwise_are_read_alike(recording: Recording, change: Change) -> None:
    decoded = decode(recording.body, PROTOBUF)
    changed = decoded._replace(groups=[change(group) for group in decoded.groups])
    assert numbers(billed(changed)) == numbers(billed(decoded))


def test_the_changes_change_something() -> None:
    group = decode(RECORDINGS[0].body, PROTOBUF).groups[0]
    for change in (of_another_version, in_doubles, in_texts, on_events, from_a_stranger):
        assert repr(change(group)) != repr(group)
