"""Anthropic's usage in our convention: totals that include what the API counts beside them."""

from types import SimpleNamespace
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.formats.anthropic import MessageEvents, read_message, read_usage
from llmlab.usage import NO_USAGE, Usage, contradictions

counts = st.none() | st.integers(0, 10**9)


@given(beside=st.integers(0, 10**9), read=counts, written=counts, output=counts)
def test_the_input_is_all_that_went_in(beside: int, read: int | None, written: int | None, output: int | None) -> None:
    usage = read_usage(
        {
            "input_tokens": beside,
            "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written,
            "output_tokens": output,
        }
    )
    assert usage.input == beside + (read or 0) + (written or 0)
    assert (usage.cache_read, usage.cache_write, usage.output) == (read, written, output)
    assert not contradictions(usage)


def test_what_is_not_said_is_not_zero() -> None:
    assert read_usage({"input_tokens": 5, "output_tokens": 7}) == Usage(input=5, output=7)


@pytest.mark.parametrize("nothing", [{}, {"input_tokens": None}, {"input_tokens": -1}, {"input_tokens": True}])
def test_nonsense_is_no_usage(nothing: dict[str, Any]) -> None:
    assert read_usage(nothing) is NO_USAGE


class OldUsage(pydantic.BaseModel, extra="allow"):
    input_tokens: int
    output_tokens: int


def test_fields_that_the_sdk_does_not_know_yet_are_read() -> None:
    details = {"output_tokens_details": {"thinking_tokens": 3}}
    usage = OldUsage.model_validate({"input_tokens": 1, "output_tokens": 4, **details})
    assert read_message(SimpleNamespace(usage=usage)).usage == Usage(input=1, output=4, reasoning=3)


def test_an_answer_of_another_api_is_no_usage() -> None:
    assert read_message({"type": "unknown"}).usage == NO_USAGE


def event(kind: str, **fields: Any) -> SimpleNamespace:
    return SimpleNamespace(type=kind, **fields)


def delta(**usage: Any) -> SimpleNamespace:
    return event("message_delta", delta=SimpleNamespace(stop_reason="end_turn"), usage=usage)


START = event(
    "message_start",
    message={
        "id": "msg_1",
        "model": "m",
        "usage": {
            "input_tokens": 10,
            "cache_read_input_tokens": 4,
            "cache_creation": {"ephemeral_1h_input_tokens": 2},
            "output_tokens": 1,
            "service_tier": "standard",
        },
    },
)


class TestEvents:
    def test_the_last_value_of_each_field_wins(self) -> None:
        events = MessageEvents()
        for each in (START, delta(output_tokens=5), delta(output_tokens=9, input_tokens=30), event("message_stop")):
            assert events.read(each) is False
        reply = events.reply()
        assert reply.usage == Usage(input=34, output=9, cache_read=4, cache_write_1h=2)
        assert (reply.id, reply.model, reply.tier, reply.finish_reasons) == ("msg_1", "m", "standard", ("end_turn",))
        assert reply.ended

    def test_a_field_that_is_left_empty_keeps_its_value(self) -> None:
        events = MessageEvents()
        for each in (START, delta(output_tokens=5, input_tokens=None, cache_read_input_tokens=None)):
            events.read(each)
        assert events.reply().usage[:3] == (14, 5, 4)

    def test_after_the_first_event_the_input_is_known(self) -> None:
        events = MessageEvents()
        events.read(START)
        assert events.reply().usage.input == 14
        assert events.reply().ended is False

    def test_before_the_first_event_nothing_is_known(self) -> None:
        assert MessageEvents().reply().usage == NO_USAGE

    def test_a_model_that_takes_over_is_the_one_that_served(self) -> None:
        events = MessageEvents()
        events.read(START)
        events.read(event("content_block_start", content_block=event("fallback", to={"model": "other"})))
        assert events.reply().model == "other"

    def test_events_that_come_up_later_are_passed_over(self) -> None:
        events = MessageEvents()
        assert events.read(event("something_new")) is False
