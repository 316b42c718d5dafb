"""What the exporter makes of attribution: on the span, on the resource, and in the way of finding duplicates."""

from collections.abc import Mapping

import pytest

from llmlab import semconv
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import Line, assess
from llmlab_exporter.call import Call
from llmlab_exporter.normalise import normalise
from llmlab_exporter.span import Decoded, RawSpan, Scope, SpanGroup, Value
from normalise.spans import CHAT, NOW_NS, span

OURS = Scope("llmlab.instrumentation.openai", "1")
THEIRS = Scope("opentelemetry.instrumentation.genai.openai", "1")


def calls(resource: Mapping[str, Value], *spans: tuple[Scope, RawSpan]) -> list[Call]:
    groups = [SpanGroup(resource, scope, [each]) for scope, each in spans]
    return normalise(Decoded(groups), latest_ns=NOW_NS).calls


def lines(resource: Mapping[str, Value], *spans: tuple[Scope, RawSpan]) -> list[Line]:
    return assess(calls(resource, *spans), Pricer())


@pytest.mark.parametrize("scope", ["llmlab.instrumentation.openai", semconv.TRACK_SCOPE])
def test_tags_are_read_from_calls_of_every_scope_of_ours(scope: str) -> None:
    said = {**CHAT, "llmlab.feature": "search", "llmlab.user": "u1", "llmlab.run": "r1", "llmlab.session": "s1"}
    (call,) = calls({}, (Scope(scope, "1"), span(said)))
    assert call.dialect == "llmlab"
    reading = call.reading
    assert (reading.feature, reading.user, reading.run, reading.session) == ("search", "u1", "r1", "s1")


def test_a_block_of_track_cost_is_no_call() -> None:
    assert calls({}, (Scope(semconv.TRACK_SCOPE, "1"), span({"llmlab.feature": "search"}))) == []


@pytest.mark.parametrize("scope", [OURS, THEIRS], ids=["ours", "theirs"])
def test_the_resource_says_what_the_span_does_not(scope: Scope) -> None:
    resource = {"llmlab.feature": "f", "llmlab.user": "u", "llmlab.run": "r", "llmlab.session": "s"}
    (call,) = calls(resource, (scope, span()))
    assert (call.reading.feature, call.reading.user, call.reading.run, call.reading.session) == ("f", "u", "r", "s")


def test_the_span_is_stronger_than_the_resource() -> None:
    resource = {"llmlab.feature": "weak", "llmlab.user": "u", "llmlab.project": "weak"}
    ((call, *_),) = lines(resource, (OURS, span({**CHAT, "llmlab.feature": "strong", "llmlab.project": "strong"})))
    assert (call.reading.feature, call.reading.user, call.project) == ("strong", "u", "strong")


def test_a_call_of_another_project_is_still_the_same_call() -> None:
    ours = span({**CHAT, "llmlab.project": "search"})
    theirs = span(CHAT, span_id=b"\1" * 8, parent_id=ours.span_id)
    found = lines({"llmlab.project": "web"}, (OURS, ours), (THEIRS, theirs))
    assert [bool(line.duplicate_of) for line in found] == [False, True]
    assert sum(line.call.reading.billable for line in found) == 1


def test_what_cannot_be_a_tag_is_none() -> None:
    (call,) = calls({"llmlab.user": 5, "llmlab.feature": "x" * 1000}, (OURS, span({**CHAT, "llmlab.run": True})))
    assert (call.reading.user, call.reading.run) == ("", "")
    assert call.reading.feature == "x" * 256
