"""Reading the format that counts `input_tokens`, as OpenAI and the hosts that imitate it write it."""

from typing import Any

import pytest

from llmlab.formats.openai_responses import ResponseEvents, read_response, read_usage
from llmlab.usage import NO_USAGE, Usage

types: Any = pytest.importorskip("openai.types.responses", reason="the Responses API came with openai 1.66")

SEARCH = {"type": "web_search_call", "action": {"type": "search"}}
OPEN = {"type": "web_search_call", "action": {"type": "open_page"}}
FIND = {"type": "web_search_call", "action": {"type": "find_in_page"}}
FILES = {"type": "file_search_call"}


def response(**fields: Any) -> Any:
    """Return a response as the SDK makes it of a body, which it does not validate."""
    made: dict[str, Any] = {"id": "resp_1", "model": "m", "status": "completed", "output": [], **fields}
    return types.Response.construct(**made)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, NO_USAGE),
        ({}, NO_USAGE),
        ({"input_tokens": 10, "output_tokens": 5}, Usage(input=10, output=5)),
        ({"input_tokens": 10, "input_tokens_details": {"cached_tokens": 0}}, Usage(input=10, cache_read=0)),
        ({"input_tokens": 10, "input_tokens_details": None}, Usage(input=10)),
        ({"input_tokens": "10", "output_tokens": -1}, NO_USAGE),
        ({"seconds": 0}, Usage(audio_ms=0)),
        ({"seconds": -1}, NO_USAGE),
        ({"seconds": "7"}, NO_USAGE),
        (types.ResponseUsage.construct(input_tokens=3, output_tokens=2), Usage(input=3, output=2)),
    ],
)
def test_what_is_not_reported_stays_unknown(usage: Any, expected: Usage) -> None:
    assert read_usage(usage) == expected


@pytest.mark.parametrize(
    ("output", "web", "files"),
    [
        ([], None, None),
        ([OPEN, FIND], None, None),
        ([SEARCH, OPEN, SEARCH, FILES], 2, 1),
        ([{"type": "web_search_call"}], 1, None),  # as it was before actions were named
        (None, None, None),
    ],
)
def test_searches_are_counted_by_their_calls(output: Any, web: int | None, files: int | None) -> None:
    usage = read_response(response(output=output)).usage
    assert (usage.web_searches, usage.file_searches) == (web, files)


@pytest.mark.parametrize("billed", [0, 1])
def test_the_count_of_billed_searches_wins_over_the_calls(billed: int) -> None:
    tool_usage = {"web_search": {"num_requests": billed}}
    assert read_response(response(output=[SEARCH, SEARCH], tool_usage=tool_usage)).usage.web_searches == billed


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_that_still_works_says_nothing_about_its_end(status: str) -> None:
    reply = read_response(response(status=status, output=[SEARCH], usage=None))
    assert (reply.usage, reply.finish_reasons, reply.id) == (NO_USAGE, (), "resp_1")


def test_events_without_a_response_are_a_stream_that_has_not_ended() -> None:
    reply = ResponseEvents().reply()
    assert reply.ended is False
    assert reply.usage == NO_USAGE
