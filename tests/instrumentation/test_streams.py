"""A stream settles its call exactly once, however it ends, and never in the caller's way."""

import asyncio
import gc
import socket
import threading
import time
from collections import abc
from collections.abc import Callable, Iterator
from typing import Any, cast

import openai
import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import StatusCode

from fake_provider.testing import FakeProvider
from instrumentation.reading import of_model
from instrumentation.spans import Spans
from instrumentation.ways import ASKED, STREAM

pytestmark = pytest.mark.usefixtures("instrumentor")

CUT = of_model("truncated", STREAM)


def is_partial(spans: Spans) -> bool:
    return spans.is_partial() and not spans.usage()


def leave_by_closing(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**STREAM)
    next(stream)
    stream.close()


def leave_by_with(client: openai.OpenAI) -> None:
    with client.chat.completions.create(**STREAM) as stream:
        next(stream)


def leave_by_break(client: openai.OpenAI) -> None:
    for _ in client.chat.completions.create(**STREAM):
        break


def leave_by_dropping_the_name(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**STREAM)
    next(stream)
    del stream


def leave_without_reading(client: openai.OpenAI) -> None:
    client.chat.completions.create(**STREAM)


def leave_by_an_error_of_the_callers(client: openai.OpenAI) -> None:
    with pytest.raises(KeyError), client.chat.completions.create(**STREAM):
        raise KeyError


def leave_by_closing_a_generator_around_it(client: openai.OpenAI) -> None:
    def words() -> Iterator[Any]:
        for chunk in client.chat.completions.create(**STREAM):  # noqa: UP028 - a generator as people write them
            yield chunk

    generator = words()
    next(generator)
    del generator


def leave_by_closing_the_raw_response(client: openai.OpenAI) -> None:
    with client.chat.completions.with_streaming_response.create(**ASKED) as response:
        next(response.parse())


def leave_the_raw_response_unparsed(client: openai.OpenAI) -> None:
    response = client.chat.completions.with_raw_response.create(**STREAM)
    response.http_response.close()


@pytest.fixture
def openais_own(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> Iterator[openai.OpenAI]:
    """A client of OpenAI itself, as far as anybody can see: its streams have a reader of their own."""
    found = socket.getaddrinfo

    def find(host: Any, *arguments: Any, **keywords: Any) -> Any:
        return found("127.0.0.1" if host == "api.openai.com" else host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", find)
    url = provider.openai_url.replace("127.0.0.1", "api.openai.com")
    with openai.OpenAI(base_url=url, api_key="fake", max_retries=0) as client:
        yield client


@pytest.mark.parametrize(
    "leave",
    [
        leave_by_closing,
        leave_by_with,
        leave_by_break,
        leave_by_dropping_the_name,
        leave_without_reading,
        leave_by_an_error_of_the_callers,
        leave_by_closing_a_generator_around_it,
        leave_by_closing_the_raw_response,
        leave_the_raw_response_unparsed,
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the SDK leaves its sockets open
@pytest.mark.parametrize("of", ["client", "openais_own"])
def test_a_stream_that_the_caller_leaves_is_partial(
    leave: Callable[[openai.OpenAI], None], of: str, request: pytest.FixtureRequest, spans: Spans
) -> None:
    leave(request.getfixturevalue(of))
    assert is_partial(spans)
    assert spans.one().status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("asked", [STREAM, ASKED], ids=["usage asked by us", "usage asked by the caller"])
def test_openais_own_streams_say_what_others_say(
    asked: dict[str, Any], client: openai.OpenAI, openais_own: openai.OpenAI, spans: Spans
) -> None:
    seen = [[chunk.to_dict() for chunk in each.chat.completions.create(**asked)] for each in (client, openais_own)]
    said = [dict(span.attributes or {}) for span in spans.all()]
    varying = ("server.address", "gen_ai.response.time_to_first_chunk", "gen_ai.response.id")
    assert [each.pop("server.address") for each in said] == ["127.0.0.1", "api.openai.com"]
    assert all(each["gen_ai.response.finish_reasons"] == ("stop",) for each in said)
    assert all(each["llmlab.usage.source"] == "reported" for each in said)
    here, there = ({name: each[name] for name in each if name not in varying} for each in said)
    assert here == there
    steady_parts = [[{**chunk, "id": "", "created": 0} for chunk in chunks] for chunks in seen]
    assert steady_parts[0] == steady_parts[1]


async def aleave_by_closing(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**STREAM)
    await anext(aiter(stream))
    await stream.close()


async def aleave_by_with(client: openai.AsyncOpenAI) -> None:
    async with await client.chat.completions.create(**STREAM) as stream:
        await anext(aiter(stream))


async def aleave_by_break(client: openai.AsyncOpenAI) -> None:
    async for _ in await client.chat.completions.create(**STREAM):
        break


async def aleave_by_closing_the_raw_response(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.with_streaming_response.create(**ASKED) as response:
        await anext(aiter(await response.parse()))


@pytest.mark.parametrize(
    "leave", [aleave_by_closing, aleave_by_with, aleave_by_break, aleave_by_closing_the_raw_response]
)
def test_an_asynchronous_stream_that_the_caller_leaves_is_partial(
    leave: Callable[[openai.AsyncOpenAI], Any], provider: FakeProvider, spans: Spans
) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
            await leave(client)

    asyncio.run(run())
    assert is_partial(spans)


def test_leaving_the_loop_is_not_leaving_the_stream(client: openai.OpenAI, spans: Spans) -> None:
    stream = client.chat.completions.create(**STREAM)
    for _ in stream:
        break
    assert not spans.all()
    assert len(list(stream)) > 1
    assert spans.attributes()["llmlab.usage.source"] == "reported"


def test_a_stream_is_settled_once(client: openai.OpenAI, spans: Spans) -> None:
    with client.chat.completions.create(**STREAM) as stream:
        list(stream)
        stream.close()
    del stream
    gc.collect()
    assert spans.attributes()["llmlab.usage.source"] == "reported"


def test_a_finished_stream_stays_finished(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(**STREAM)
    list(stream)
    assert list(stream) == []
    with pytest.raises(StopIteration):
        next(stream)


def test_a_stream_that_breaks_off_is_a_partial_error(client: openai.OpenAI, spans: Spans) -> None:
    with pytest.raises(openai.APIConnectionError):
        list(client.chat.completions.create(**CUT))
    assert spans.attributes()["error.type"] == "APIConnectionError"
    assert spans.attributes()["llmlab.usage.source"] == "partial"
    assert spans.one().status.status_code is StatusCode.ERROR


def test_an_asynchronous_stream_that_breaks_off_is_a_partial_error(provider: FakeProvider, spans: Spans) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
            with pytest.raises(openai.APIConnectionError):
                [chunk async for chunk in await client.chat.completions.create(**CUT)]

    asyncio.run(run())
    assert spans.attributes()["error.type"] == "APIConnectionError"
    assert spans.attributes()["llmlab.usage.source"] == "partial"


def test_an_error_inside_the_stream_reaches_the_caller(client: openai.OpenAI, spans: Spans) -> None:
    with pytest.raises(openai.APIError, match="The server had an error"):
        list(client.chat.completions.create(**of_model("error-in-stream", STREAM)))
    assert spans.attributes()["error.type"] == "APIError"


def test_a_cancelled_stream_is_a_partial_error(provider: FakeProvider, spans: Spans) -> None:
    async def run() -> None:
        async with openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client:
            stream = await client.chat.completions.create(**of_model("slow", STREAM))
            reading = asyncio.ensure_future(drain(stream))
            await asyncio.sleep(0.07)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    async def drain(stream: Any) -> None:
        async for _ in stream:
            pass

    asyncio.run(run())
    assert spans.attributes()["error.type"] == "CancelledError"
    assert spans.attributes()["llmlab.usage.source"] == "partial"


def test_a_host_that_reports_no_usage_leaves_it_unknown(client: openai.OpenAI, spans: Spans) -> None:
    list(client.chat.completions.create(**of_model("stream-no-usage", STREAM)))
    assert not spans.usage()
    assert "llmlab.usage.source" not in spans.attributes()


def test_the_time_to_the_first_chunk_is_measured(client: openai.OpenAI, spans: Spans) -> None:
    started_s = time.perf_counter()
    list(client.chat.completions.create(**of_model("slow", STREAM)))
    first_chunk_s = spans.attributes()["gen_ai.response.time_to_first_chunk"]
    assert isinstance(first_chunk_s, float)
    assert 0 < first_chunk_s < time.perf_counter() - started_s


def test_a_stream_passes_for_the_sdks_own(client: openai.OpenAI) -> None:
    with client.chat.completions.create(**STREAM) as stream:
        assert isinstance(stream, openai.Stream)
        assert stream.response.status_code == 200
        assert isinstance(stream, abc.Iterator)
        assert not isinstance(stream, abc.AsyncIterable)
        assert not hasattr(stream, "__aiter__")


def test_an_asynchronous_stream_passes_for_the_sdks_own(provider: FakeProvider) -> None:
    async def run() -> None:
        async with (
            openai.AsyncOpenAI(base_url=provider.openai_url, api_key="fake") as client,
            await client.chat.completions.create(**STREAM) as stream,
        ):
            assert isinstance(stream, openai.AsyncStream)
            assert isinstance(stream, abc.AsyncIterator)
            assert not isinstance(stream, abc.Iterable)
            with pytest.raises(TypeError):
                iter(cast("Any", stream))

    asyncio.run(run())


@pytest.mark.parametrize("of", ["client", "openais_own"])
class TestOthersWhoReadAlong:
    """What somebody else has put between the SDK and its chunks is not passed by."""

    def test_in_the_class_of_the_stream(
        self, of: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        heard: list[Any] = []
        hear = heard.append

        def iterate(self: Any) -> Iterator[Any]:  # with no other names than the SDK's own has
            for chunk in self._iterator:
                hear(chunk)
                yield chunk

        monkeypatch.setattr(openai.Stream, "__iter__", iterate)
        create = request.getfixturevalue(of).chat.completions.create
        assert list(create(**ASKED)) == heard != []

    def test_in_the_stream_itself(self, of: str, request: pytest.FixtureRequest) -> None:
        heard: list[Any] = []

        def listen(chunks: Iterator[Any]) -> Iterator[Any]:
            for chunk in chunks:
                heard.append(chunk)
                yield chunk

        stream = request.getfixturevalue(of).chat.completions.create(**ASKED)
        stream._iterator = listen(stream._iterator)
        assert list(stream) == heard != []


@pytest.mark.parametrize("name", ["close", "aclose", "response", "nonsense"])
@pytest.mark.parametrize("streams", [True, False])
def test_a_stream_has_the_methods_of_the_sdks_own(name: str, streams: bool, client: openai.OpenAI) -> None:
    create = client.chat.completions.create
    with create(**STREAM) if streams else client.chat.completions.with_streaming_response.create(**STREAM) as ours:
        assert hasattr(ours, name) == hasattr(ours.__wrapped__, name)


def test_an_asynchronous_generator_is_closed_as_the_sdk_says(provider: FakeProvider, spans: Spans) -> None:
    hub = pytest.importorskip("huggingface_hub")

    async def run() -> None:
        async with hub.AsyncInferenceClient(base_url=provider.openai_url, api_key="fake") as client:
            stream: Any = await client.chat_completion(ASKED["messages"], model="gpt-4o", stream=True)
            await anext(stream)
            assert not hasattr(stream, "close")
            await stream.aclose()

    asyncio.run(run())
    assert spans.is_partial()


class LockedProcessor(SpanProcessor):
    """Holds a lock while it takes a span, as the SDK's own parts do when they count their work."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ended = threading.Event()

    def on_end(self, span: ReadableSpan) -> None:
        with self.lock:
            self.ended.set()


@pytest.mark.timeout(20)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the SDK leaves its socket open
def test_the_garbage_collector_cannot_deadlock_on_a_stream(
    client: openai.OpenAI, tracer_provider: TracerProvider
) -> None:
    processor = LockedProcessor()
    tracer_provider.add_span_processor(processor)
    cycle: list[Any] = [client.chat.completions.create(**STREAM)]
    cycle.append(cycle)
    del cycle
    with processor.lock:
        gc.collect()
        assert not processor.ended.is_set()
    assert processor.ended.wait(timeout=10)
