"""Amazon Bedrock through boto3: exact usage on one span, however the call is made, and the caller sees no change."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from io import BytesIO
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.eventstream import EventStream
from botocore.exceptions import ClientError, EventStreamError, IncompleteReadError, ResponseStreamingError
from botocore.response import StreamingBody
from opentelemetry.trace import SpanKind, StatusCode
from urllib3.exceptions import ProtocolError

from fake_provider.testing import FakeProvider
from instrumentation.spans import Spans
from llmlab.instrumentor import LLMLabInstrumentor

pytestmark = pytest.mark.usefixtures("instrumentor")

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-lite-v1:0"
FAMILIES = (
    CLAUDE,
    NOVA,
    "amazon.titan-text-express-v1",
    "meta.llama3-1-8b-instruct-v1:0",
    "cohere.command-r-v1:0",
    "mistral.mistral-7b-instruct-v0:2",
    "openai.gpt-oss-20b-1:0",
)
MESSAGES = [{"role": "user", "content": [{"text": "one two three four"}]}]
CACHED = {
    "inputTokens": 211,
    "outputTokens": 389,
    "cacheReadInputTokens": 4096,
    "cacheWriteInputTokens": 1500,
    "cacheDetails": [{"ttl": "5m", "inputTokens": 1100}, {"ttl": "1h", "inputTokens": 400}],
}
TOTALS = {
    "gen_ai.usage.input_tokens": 211 + 4096 + 1500,
    "gen_ai.usage.output_tokens": 389,
    "gen_ai.usage.cache_read.input_tokens": 4096,
    "gen_ai.usage.cache_write.input_tokens": 1500,
}
LIFETIMES = {
    "llmlab.usage.cache_write_5m.input_tokens": 1100,
    "llmlab.usage.cache_write_1h.input_tokens": 400,
}
NO_CACHE = {"gen_ai.usage.cache_read.input_tokens": 0, "gen_ai.usage.cache_write.input_tokens": 0}
PLAIN = {"inputTokens": 23, "outputTokens": 7}
PLAIN_TOTALS = {"gen_ai.usage.input_tokens": 23, "gen_ai.usage.output_tokens": 7}


Connect = Callable[[dict[str, Any]], Any]


def aws(service: str, url: str) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="fake",
        aws_secret_access_key="fake",
        config=Config(retries={"max_attempts": 0}),
    )


@pytest.fixture
def connect(provider: FakeProvider) -> Iterator[Connect]:
    """Return what makes a client whose provider reports the given usage."""
    with ExitStack() as clients:

        def make(usage: dict[str, Any]) -> Any:
            def dictate(params: dict[str, Any], **_: Any) -> None:
                params["headers"]["x-fake-usage"] = json.dumps(usage)

            client = clients.enter_context(closing(aws("bedrock-runtime", provider.bedrock_url)))
            client.meta.events.register("before-call.bedrock-runtime", dictate)
            return client

        yield make


@pytest.fixture
def client(connect: Connect) -> Any:
    return connect(PLAIN)


def lifetimes(client: Any) -> dict[str, int]:
    """Return how the written tokens split up, where this version of the SDK lets that pass."""
    return LIFETIMES if "cacheDetails" in client.meta.service_model.shape_for("TokenUsage").members else {}


def converse(client: Any, model: str = NOVA, **more: Any) -> Any:
    return client.converse(modelId=model, messages=MESSAGES, **more)


def converse_stream(client: Any, model: str = NOVA) -> Any:
    return client.converse_stream(modelId=model, messages=MESSAGES)["stream"]


def invoke(client: Any, model: str) -> Any:
    return client.invoke_model(modelId=model, body=json.dumps({"prompt": "one two"}))["body"]


def invoke_stream(client: Any, model: str) -> Any:
    return client.invoke_model_with_response_stream(modelId=model, body=json.dumps({"prompt": "one"}))["body"]


def into_buffer(body: Any) -> bytes:
    taken, buffer = b"", bytearray(64)
    while length := body.readinto(buffer):
        taken += buffer[:length]
    return taken


def with_block(body: Any) -> bytes:
    with body as raw:
        return raw.read()


READERS: dict[str, Callable[[Any], bytes]] = {
    "read": lambda body: body.read(),
    "small pieces": lambda body: b"".join(iter(lambda: body.read(7), b"")),
    "json": lambda body: json.dumps(json.load(body)).encode(),
    "iteration": b"".join,
    "iter_chunks": lambda body: b"".join(body.iter_chunks(16)),
    "iter_lines": lambda body: b"".join(body.iter_lines()),
    "readlines": lambda body: b"".join(body.readlines()),
    "readinto": into_buffer,
    "with": with_block,
}


def of(call: str, way: str) -> pytest.MarkDecorator:
    return pytest.mark.cell("boto3", call, way)


def is_billed(usage: dict[str, Any], provider: FakeProvider) -> bool:
    """Say whether the one bill contains this usage."""
    (request,) = provider.requests
    return usage.items() <= (request.usage or {}).items()


class TestConverse:
    @of("converse", "sync")
    def test_cached_tokens_are_part_of_the_input(self, connect: Connect, provider: FakeProvider, spans: Spans) -> None:
        client = connect(CACHED)
        converse(client)
        assert is_billed(CACHED, provider)
        assert spans.usage() == TOTALS | lifetimes(client)
        assert spans.attributes()["llmlab.usage.source"] == "reported"

    @of("converse_stream", "sync stream")
    def test_a_stream_reports_the_same(self, connect: Connect, provider: FakeProvider, spans: Spans) -> None:
        client = connect(CACHED)
        list(converse_stream(client))
        assert is_billed(CACHED, provider)
        assert spans.usage() == TOTALS | lifetimes(client)
        assert spans.attributes()["llmlab.usage.source"] == "reported"
        assert spans.attributes()["gen_ai.request.stream"] is True
        assert spans.attributes()["gen_ai.response.finish_reasons"] == ("end_turn",)

    def test_no_cache_is_not_a_cache_of_zero(self, client: Any, spans: Spans) -> None:
        converse(client)
        assert spans.usage() == PLAIN_TOTALS

    @pytest.mark.parametrize("model", [NOVA, CLAUDE, PROFILE])
    def test_the_span_describes_the_call(self, model: str, client: Any, provider: FakeProvider, spans: Spans) -> None:
        converse(client, model, inferenceConfig={"maxTokens": 50, "temperature": 0.5, "topP": 0.9})
        span, attributes = spans.one(), spans.attributes()
        attributes.pop("llmlab.tier", None)
        assert (span.name, span.kind, span.status.status_code) == (f"chat {model}", SpanKind.CLIENT, StatusCode.UNSET)
        assert {name: value for name, value in attributes.items() if ".usage." not in name} == {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "aws.bedrock",
            "gen_ai.request.model": model,
            "gen_ai.request.max_tokens": 50,
            "gen_ai.request.temperature": 0.5,
            "gen_ai.request.top_p": 0.9,
            "gen_ai.response.finish_reasons": ("end_turn",),
            "server.address": "127.0.0.1",
            "server.port": int(provider.url.rsplit(":", 1)[1]),
        }

    def test_the_tier_is_the_served_one(self, client: Any, spans: Spans) -> None:
        if "serviceTier" not in client.meta.service_model.shape_for("ConverseRequest").members:
            pytest.skip("this version of the SDK knows no tiers")
        converse(client, serviceTier={"type": "flex"})
        assert spans.attributes()["llmlab.tier"] == "flex"


class TestInvokeModel:
    @of("invoke_model", "sync")
    @pytest.mark.parametrize("model", FAMILIES)
    def test_every_family_reports_what_was_billed(
        self, model: str, client: Any, provider: FakeProvider, spans: Spans
    ) -> None:
        invoke(client, model).read()
        assert is_billed(PLAIN, provider)
        assert spans.usage() == PLAIN_TOTALS | (NO_CACHE if model == NOVA else {})
        assert spans.attributes()["llmlab.usage.source"] == "reported"
        assert "gen_ai.request.stream" not in spans.attributes()
        assert len(str(spans.attributes()["gen_ai.response.finish_reasons"])) > 4

    @of("invoke_model_with_response_stream", "sync stream")
    @pytest.mark.parametrize("model", FAMILIES)
    def test_every_family_reports_it_at_the_end_of_a_stream(
        self, model: str, client: Any, provider: FakeProvider, spans: Spans
    ) -> None:
        list(invoke_stream(client, model))
        assert is_billed(PLAIN, provider)
        assert spans.usage() == PLAIN_TOTALS | (NO_CACHE if model == NOVA else {})
        assert spans.attributes()["llmlab.usage.source"] == "reported"
        assert spans.attributes()["gen_ai.request.stream"] is True
        assert len(str(spans.attributes()["gen_ai.response.finish_reasons"])) > 4

    @pytest.mark.parametrize("model", ["anthropic.no-headers", "titan-no-headers", "llama-no-headers"])
    def test_a_gateway_that_drops_the_headers_loses_nothing(self, model: str, client: Any, spans: Spans) -> None:
        invoke(client, model).read()
        assert spans.usage() == PLAIN_TOTALS

    @pytest.mark.parametrize("call", [invoke, invoke_stream])
    def test_anthropics_cache_is_part_of_the_input(
        self, call: Callable[..., Any], connect: Connect, spans: Spans
    ) -> None:
        result = call(connect(CACHED), CLAUDE)
        result.read() if call is invoke else list(result)
        assert spans.usage() == TOTALS | LIFETIMES
        assert spans.attributes()["gen_ai.response.model"] == "claude-sonnet-4-5-20250929"
        assert str(spans.attributes()["gen_ai.response.id"]).startswith("msg_bdrk_")

    def test_the_headers_count_the_cache_too(self, connect: Connect, spans: Spans) -> None:
        invoke(connect(CACHED), "cohere.command-r-v1:0").read()
        assert spans.usage() == TOTALS

    def test_embeddings_count_what_goes_in(self, client: Any, spans: Spans) -> None:
        invoke(client, "amazon.titan-embed-text-v2:0").read()
        assert spans.one().name == "embeddings amazon.titan-embed-text-v2:0"
        assert spans.usage() == {"gen_ai.usage.input_tokens": 23}
        assert spans.attributes()["llmlab.usage.source"] == "reported"

    @pytest.mark.parametrize("reader", READERS)
    def test_the_body_is_read_by_the_caller_alone_and_in_any_way(
        self, reader: str, client: Any, instrumentor: LLMLabInstrumentor, spans: Spans
    ) -> None:
        if reader not in {"json", "iteration", "small pieces", "with"} and reader not in vars(StreamingBody):
            pytest.skip("this version of the SDK has no such method")
        body = invoke(client, "meta.llama3-1-8b-instruct-v1:0")
        assert type(body) is StreamingBody
        assert body.tell() == 0
        assert not spans.all()
        taken = READERS[reader](body)
        assert spans.usage() == PLAIN_TOTALS
        assert spans.attributes()["llmlab.usage.source"] == "reported"
        instrumentor.uninstrument()
        assert taken == READERS[reader](invoke(client, "meta.llama3-1-8b-instruct-v1:0"))

    def test_a_body_that_nobody_reads_is_known_by_its_headers(self, client: Any, spans: Spans) -> None:
        body = invoke(client, CLAUDE)
        body.close()
        assert spans.usage() == PLAIN_TOTALS
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    def test_a_body_that_nobody_holds_is_settled(self, client: Any, spans: Spans) -> None:
        invoke(client, CLAUDE)
        assert spans.usage() == PLAIN_TOTALS

    @pytest.mark.parametrize("amount", [None, 16])
    def test_a_body_that_breaks_off_is_partial(self, amount: int | None, client: Any, spans: Spans) -> None:
        body = invoke(client, "anthropic.truncated")
        with closing(body), pytest.raises((IncompleteReadError, ResponseStreamingError)):
            list(iter(lambda: body.read(amount), b""))
        assert spans.attributes()["llmlab.usage.source"] == "partial"


class TestStreams:
    @pytest.mark.parametrize("call", [converse_stream, invoke_stream])
    def test_the_caller_sees_what_it_would_see_without_us(
        self, call: Callable[..., Any], client: Any, instrumentor: LLMLabInstrumentor
    ) -> None:
        stream = call(client, NOVA)
        assert isinstance(stream, EventStream)
        events = list(stream)
        instrumentor.uninstrument()
        assert events == list(call(client, NOVA))

    @pytest.mark.parametrize("call", [converse_stream, invoke_stream])
    def test_a_broken_stream_is_partial(self, call: Callable[..., Any], client: Any, spans: Spans) -> None:
        with closing(call(client, "anthropic.truncated")) as stream, pytest.raises(ProtocolError):
            list(stream)
        assert spans.attributes()["llmlab.usage.source"] == "partial"
        assert spans.attributes()["error.type"] == "ProtocolError"

    @of("invoke_model_with_response_stream", "abandoned")
    def test_what_an_abandoned_stream_had_reported_is_kept(self, client: Any, spans: Spans) -> None:
        stream = invoke_stream(client, "anthropic.slow")
        next(iter(stream))
        stream.close()
        assert spans.usage() == {"gen_ai.usage.input_tokens": 23, "gen_ai.usage.output_tokens": 1}
        assert spans.attributes()["llmlab.usage.source"] == "partial"

    @pytest.mark.parametrize("call", [converse_stream, invoke_stream])
    def test_an_error_in_the_stream_is_the_callers(self, call: Callable[..., Any], client: Any, spans: Spans) -> None:
        stream = call(client, "anthropic.error-in-stream")
        with closing(stream), pytest.raises(EventStreamError, match="The model fell over"):
            list(stream)
        assert spans.attributes()["error.type"] == "EventStreamError"
        assert spans.one().status.description is None

    @of("converse_stream", "abandoned")
    def test_a_stream_that_nobody_holds_is_partial(self, client: Any, spans: Spans) -> None:
        stream = converse_stream(client, "slow")
        for _ in stream:
            break
        stream._raw_stream.close()
        del stream
        assert spans.is_partial()
        assert not spans.usage()  # it is reported at the end


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(converse, marks=of("converse", "error")),
        pytest.param(converse_stream, marks=of("converse_stream", "error")),
        pytest.param(invoke, marks=of("invoke_model", "error")),
        pytest.param(invoke_stream, marks=of("invoke_model_with_response_stream", "error")),
    ],
)
@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("error-400", "ValidationException"),
        ("error-401", "ClientError"),
        ("error-429", "ThrottlingException"),
        ("error-500", "InternalServerException"),
    ],
)
def test_an_error_is_the_callers_and_on_the_span(
    model: str, error: str, call: Callable[..., Any], client: Any, instrumentor: LLMLabInstrumentor, spans: Spans
) -> None:
    with pytest.raises(ClientError) as raised:
        call(client, model)
    instrumentor.uninstrument()
    with pytest.raises(ClientError) as raised_without_us:
        call(client, model)
    assert str(raised.value) == str(raised_without_us.value)
    assert type(raised.value).__name__ == error
    assert spans.attributes()["error.type"] == error
    assert spans.one().status.status_code is StatusCode.ERROR
    assert not spans.usage()


def test_content_is_never_recorded(client: Any, spans: Spans) -> None:
    said = [{"text": "xyzzy"}]
    client.converse(modelId=NOVA, messages=[{"role": "user", "content": said}], system=said)
    invoke(client, CLAUDE).read()
    recorded = "".join(span.to_json() for span in spans.all())
    assert "xyzzy" not in recorded
    assert "weather" not in recorded


def test_other_services_pass(provider: FakeProvider, spans: Spans) -> None:
    other = aws("s3", provider.url)
    with closing(other), pytest.raises(ClientError, match="404"):
        other.put_object(Bucket="bucket", Key="key", Body=BytesIO(b"content"))
    assert not spans.all()
