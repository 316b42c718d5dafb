"""Reading OpenAI's format, as OpenAI and the hosts that imitate it write it."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from llmlab.capture.recording import Recording
from llmlab.formats.openai import ChatChunks, OpenAIChatChunks, PlainChatChunks, read_completion, read_usage
from llmlab.formats.openai_streams import ask_for_usage
from llmlab.hosts import Endpoint
from llmlab.usage import NO_USAGE, Usage, contradictions


def sdk_usage(**fields: Any) -> CompletionUsage:
    """Return usage as the SDK makes it of a response, which it does not validate."""
    made: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, **fields}
    return CompletionUsage.construct(**made)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, NO_USAGE),
        (sdk_usage(), Usage(input=10, output=5)),
        (sdk_usage(prompt_tokens_details={"cached_tokens": 0}), Usage(input=10, output=5, cache_read=0)),
        (sdk_usage(prompt_tokens_details=None), Usage(input=10, output=5)),
        (sdk_usage(prompt_tokens="10"), Usage(output=5)),
        (sdk_usage(completion_tokens=-1), Usage(input=10)),
        (sdk_usage(completion_tokens=True), Usage(input=10)),
        (SimpleNamespace(prompt_tokens=3, total_tokens=3), Usage(input=3)),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"audio_tokens": 2}}, Usage(input=3, audio_in=2)),
    ],
)
def test_what_is_not_reported_stays_unknown(usage: Any, expected: Usage) -> None:
    assert read_usage(usage) == expected


@pytest.mark.parametrize(
    ("completion", "reasoning", "total", "output"),
    [
        (300, 200, 310, 300),  # OpenAI: reasoning inside the completion
        (100, 200, 310, 300),  # xAI, as it began: reasoning beside it
        (100, 200, 110, 100),  # the total says inside, and nothing is made up
        (100, 0, 110, 100),
        (100, 200, None, 100),
    ],
)
def test_reasoning_is_part_of_the_output(completion: int, reasoning: int, total: int | None, output: int) -> None:
    details = {"reasoning_tokens": reasoning}
    usage = read_usage(sdk_usage(completion_tokens=completion, total_tokens=total, completion_tokens_details=details))
    assert (usage.output, usage.reasoning) == (output, reasoning)
    assert bool(contradictions(usage)) == (reasoning > output)


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (0.00014, "0.00014"),
        (1.83e-05, "0.0000183"),
        (0, "0"),
        ({"total_cost": 0.006, "request_cost": 0.005}, "0.006"),
        (-1, None),
        (True, None),
        (float("nan"), None),
        ("0.1", None),
        ({}, None),
        (None, None),
    ],
)
def test_the_cost_that_a_host_reports_is_a_plain_decimal(cost: Any, expected: str | None) -> None:
    completion = ChatCompletion.construct(id="x", choices=[], usage=sdk_usage(cost=cost))
    assert read_completion(completion).cost_usd == expected


def chunk(**fields: Any) -> ChatCompletionChunk:
    made: dict[str, Any] = {"id": "x", "model": "m", "choices": [], "usage": None, **fields}
    return ChatCompletionChunk.construct(**made)


def said(finish_reason: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": {}, "finish_reason": finish_reason}]}


def test_the_last_usage_wins_whatever_chunk_it_is_on() -> None:
    chunks = ChatChunks(hide_usage=True)
    hidden = [
        chunks.read(chunk(**said(), usage=sdk_usage(completion_tokens=1))),
        chunks.read(chunk(**said("stop"), usage=sdk_usage(completion_tokens=2))),
    ]
    assert hidden == [False, False]
    assert chunks.reply().usage.output == 2


def test_only_a_chunk_of_nothing_but_usage_is_hidden() -> None:
    chunks = ChatChunks(hide_usage=True)
    assert not chunks.read(chunk())
    assert chunks.read(chunk(usage=sdk_usage()))


def test_a_caller_who_asked_sees_everything() -> None:
    chunks = ChatChunks(hide_usage=False)
    null = chunk(**said())
    assert not chunks.read(null)
    assert "usage" in null.model_fields_set
    assert not chunks.read(chunk(usage=sdk_usage()))


def test_a_stream_without_chunks_reports_nothing() -> None:
    assert ChatChunks(hide_usage=True).reply().usage == NO_USAGE


def test_finish_reasons_come_in_the_order_of_the_choices() -> None:
    chunks = ChatChunks(hide_usage=True)
    for index, reason in ((1, "length"), (0, "stop")):
        chunks.read(chunk(**said(reason, index)))
    assert chunks.reply().finish_reasons == ("stop", "length")


STREAMS: dict[str, Callable[[], list[ChatCompletionChunk]]] = {
    "one choice": lambda: [chunk(**said()), chunk(**said("stop")), chunk(usage=sdk_usage())],
    "the finish reason is not on the last choice": lambda: [chunk(**said("stop")), chunk(**said())],
    "usage on a chunk that goes on": lambda: [chunk(**said(), usage=sdk_usage(completion_tokens=1)), chunk(**said())],
    "several choices at once": lambda: [chunk(choices=said("stop", 1)["choices"] + said("length", 0)["choices"])],
    "several choices by turns": lambda: [chunk(**said("length", 1)), chunk(**said()), chunk(**said("stop"))],
    "no choices at all": lambda: [chunk(choices=None), chunk(), chunk(choices=None, usage=sdk_usage())],
    "no chunks": list,
}


class Settled(Recording):
    """Takes note of what a recording is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._open = []

    def first_chunk(self, after_s: float | None = None) -> None:
        assert after_s is None
        self.said.append("first chunk")

    def settle_stream(self, *, complete: bool = False, error: BaseException | None = None) -> None:
        self.said.append("complete" if complete else repr(error))


OPENAIS_OWN: dict[str, Callable[[], list[ChatCompletionChunk]]] = {
    "with usage": lambda: [chunk(**said()), chunk(**said()), chunk(**said("stop")), chunk(usage=sdk_usage())],
    "without usage": lambda: [chunk(**said()), chunk(**said("length"))],
    "left early": lambda: [chunk(**said()), chunk(**said())],
    "nothing but usage": lambda: [chunk(usage=sdk_usage())],
    "one chunk": lambda: [chunk(**said("stop"))],
    "no chunks": list,
}


@pytest.mark.parametrize("hide_usage", [True, False])
@pytest.mark.parametrize(
    ("reader", "made"),
    [(PlainChatChunks, made) for made in STREAMS.values()]
    + [(OpenAIChatChunks, made) for made in OPENAIS_OWN.values()],
    ids=[*STREAMS, *(f"OpenAI's own, {name}" for name in OPENAIS_OWN)],
)
def test_a_stream_passes_as_it_does_chunk_by_chunk(
    reader: type[PlainChatChunks | OpenAIChatChunks], made: Callable[[], list[ChatCompletionChunk]], hide_usage: bool
) -> None:
    one_by_one, in_a_loop = ChatChunks(hide_usage=hide_usage), reader(hide_usage=hide_usage)
    seen = [each for each in made() if not one_by_one.read(each)]
    settled = Settled()
    passed = list(in_a_loop.pass_on(made(), settled))
    assert settled.said == (["first chunk"] if made() else []) + ["complete"]
    assert [each.to_dict() for each in passed] == [each.to_dict() for each in seen]
    assert in_a_loop.reply() == one_by_one.reply()


@pytest.mark.parametrize("reader", [PlainChatChunks, OpenAIChatChunks])
def test_a_chunk_that_cannot_be_read_costs_no_usage(reader: type[PlainChatChunks | OpenAIChatChunks]) -> None:
    odd = chunk(**said())
    object.__setattr__(odd, "choices", 5)
    chunks = reader(hide_usage=True)
    assert list(chunks.pass_on([chunk(**said()), odd, chunk(usage=sdk_usage())], Settled()))[1:] == [odd]
    assert chunks.reply().usage == read_usage(sdk_usage())


@pytest.mark.parametrize(
    ("host", "keywords", "expected"),
    [
        ("api.openai.com", {}, OpenAIChatChunks),
        ("api.openai.com", {"n": 1}, OpenAIChatChunks),
        ("api.openai.com", {"n": 2}, ChatChunks),
        ("example.openai.azure.com", {}, PlainChatChunks),
        ("127.0.0.1", {"n": None}, PlainChatChunks),
        ("127.0.0.1", {"n": 3}, ChatChunks),
    ],
)
@pytest.mark.parametrize("options", [None, {"include_usage": True}])
def test_only_openais_own_streams_are_read_as_such(
    host: str, keywords: dict[str, Any], expected: type[ChatChunks], options: dict[str, Any] | None
) -> None:
    _, chunks, _ = ask_for_usage({**keywords, "stream_options": options}, Endpoint("openai", host, 443), "gpt-5-mini")
    assert type(chunks) is expected


def test_a_stream_that_breaks_is_settled_with_its_error() -> None:
    def made() -> Iterator[ChatCompletionChunk]:
        yield chunk(**said())
        raise TimeoutError

    settled = Settled()
    with pytest.raises(TimeoutError):
        list(PlainChatChunks(hide_usage=False).pass_on(made(), settled))
    assert settled.said == ["first chunk", "TimeoutError()"]


def test_a_chunk_that_cannot_be_read_is_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    odd: list[Any] = [chunk(**said()), "no chunk", chunk(**said("stop"))]
    chunks = PlainChatChunks(hide_usage=True)
    assert list(chunks.pass_on(odd, Settled())) == odd
    assert chunks.reply().finish_reasons == ("stop",)
