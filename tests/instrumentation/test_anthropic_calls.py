"""What a span says of a call to Anthropic, directly or through a platform, and what becomes of the call."""

import asyncio
from typing import TYPE_CHECKING, Any

import anthropic
import pydantic
import pytest
from anthropic.lib.bedrock import AnthropicBedrock
from anthropic.lib.vertex import AsyncAnthropicVertex
from anthropic.resources import Messages
from opentelemetry.trace import SpanKind, StatusCode

from fake_provider.testing import FakeProvider
from instrumentation.anthropic_ways import MESSAGE, Form, of_model
from instrumentation.sdk_versions import http_library
from instrumentation.spans import Spans
from llmlab import __version__
from llmlab.instrumentor import LLMLabInstrumentor

if TYPE_CHECKING:
    import httpx2
else:
    httpx2 = http_library(anthropic.DefaultHttpxClient)  # older versions are on httpx

pytestmark = pytest.mark.usefixtures("instrumentor")


def test_the_span_describes_the_call(claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans) -> None:
    extra_body = {"temperature": 0.5, "top_p": 0.9, "speed": "fast"}
    message = claude.messages.create(**MESSAGE, extra_body=extra_body)
    span, attributes = spans.one(), spans.attributes()
    assert (span.name, span.kind, span.status.status_code) == (
        "chat claude-haiku-4-5",
        SpanKind.CLIENT,
        StatusCode.UNSET,
    )
    assert span.instrumentation_scope is not None
    assert (span.instrumentation_scope.name, span.instrumentation_scope.version) == (
        "llmlab.instrumentation.anthropic",
        __version__,
    )
    assert {name: value for name, value in attributes.items() if ".usage." not in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-haiku-4-5",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.response.model": "claude-haiku-4-5-20251001",
        "gen_ai.response.id": message.id,
        "gen_ai.response.finish_reasons": ("end_turn",),
        "llmlab.tier": "fast",
        "server.address": "127.0.0.1",
        "server.port": int(provider.url.split(":")[2]),
    }


def test_the_effort_is_recorded(claude: anthropic.Anthropic, spans: Spans) -> None:
    claude.messages.create(**MESSAGE, extra_body={"output_config": {"effort": "low"}})
    assert spans.attributes()["gen_ai.request.reasoning.level"] == "low"


def test_content_is_never_recorded(claude: anthropic.Anthropic, spans: Spans) -> None:
    secret = "xyzzy"  # noqa: S105 - no password, but nothing that may be seen either
    claude.messages.create(
        model="claude-haiku-4-5",
        max_tokens=50,
        system=secret,
        messages=[{"role": "user", "content": secret}],
        metadata={"user_id": secret},
    )
    with pytest.raises(anthropic.BadRequestError, match=secret):
        claude.messages.create(**MESSAGE, extra_headers={"x-fake-usage": f'"{secret}"'})
    assert secret not in "".join(span.to_json() for span in spans.all())


def test_counting_tokens_is_no_call(claude: anthropic.Anthropic, spans: Spans) -> None:
    counted = claude.messages.count_tokens(model="claude-haiku-4-5", messages=MESSAGE["messages"])
    assert counted.input_tokens > 0
    assert not spans.all()


def test_prompts_in_the_cache_are_part_of_the_input(claude: anthropic.Anthropic, spans: Spans) -> None:
    handbook: Any = [{"type": "text", "text": "x" * 8000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    for _ in range(2):
        claude.messages.create(**MESSAGE, system=handbook)
    written, read = (span.attributes or {} for span in spans.all())
    assert written["llmlab.usage.cache_write_1h.input_tokens"] == 2003
    assert read["gen_ai.usage.cache_read.input_tokens"] == 2003
    assert written["gen_ai.usage.input_tokens"] == read["gen_ai.usage.input_tokens"] == 2003 + 8


class TestErrors:
    @pytest.mark.parametrize(
        ("model", "error"),
        [
            ("error-400", anthropic.BadRequestError),
            ("error-401", anthropic.AuthenticationError),
            ("error-429", anthropic.RateLimitError),
            ("error-500", anthropic.InternalServerError),
        ],
    )
    @pytest.mark.parametrize("stream", [False, True])
    def test_an_error_is_the_callers_and_on_the_span(
        self,
        model: str,
        error: type[anthropic.APIStatusError],
        stream: bool,
        claude: anthropic.Anthropic,
        instrumentor: LLMLabInstrumentor,
        spans: Spans,
    ) -> None:
        with pytest.raises(error) as raised:
            claude.messages.create(**of_model(model, MESSAGE), stream=stream)
        instrumentor.uninstrument()
        with pytest.raises(error) as raised_without_us:
            claude.messages.create(**of_model(model, MESSAGE), stream=stream)
        assert str(raised.value) == str(raised_without_us.value)
        frames = [(str(frame.path), frame.name) for frame in raised.traceback if "/llmlab/" not in str(frame.path)]
        assert frames == [(str(frame.path), frame.name) for frame in raised_without_us.traceback]
        assert spans.attributes()["error.type"] == error.__name__
        assert spans.one().status.status_code is StatusCode.ERROR
        assert spans.one().status.description is None
        assert not spans.usage()

    def test_the_sdks_retries_are_one_call(self, provider: FakeProvider, spans: Spans) -> None:
        with anthropic.Anthropic(base_url=provider.anthropic_url, api_key="fake", max_retries=2) as client:
            client.messages.create(**of_model("flaky", MESSAGE))
        assert len(provider.requests) == 2
        assert spans.attributes()["llmlab.usage.source"] == "reported"

    def test_a_cancelled_call_is_an_error(self, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> None:
            async with anthropic.AsyncAnthropic(base_url=provider.anthropic_url, api_key="fake") as client:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(client.messages.create(**of_model("slow", MESSAGE)), 0.01)

        asyncio.run(run())
        assert spans.attributes()["error.type"] == "CancelledError"

    @pytest.mark.skipif(not hasattr(Messages, "parse"), reason="this version has no parse")
    def test_an_answer_of_the_wrong_form_is_billed_all_the_same(
        self, claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
    ) -> None:
        with pytest.raises(pydantic.ValidationError):
            claude.messages.parse(**MESSAGE, output_format=Form)
        assert provider.requests[0].usage is not None
        assert spans.attributes()["error.type"] == "ValidationError"
        assert spans.attributes()["gen_ai.usage.output_tokens"] == provider.requests[0].usage["output_tokens"]
        assert spans.attributes()["llmlab.usage.source"] == "reported"


class TestPlatforms:
    BEDROCK = of_model("us.anthropic.claude-haiku-4-5-20251001-v1:0", MESSAGE)
    VERTEX = of_model("claude-haiku-4-5@20251001", MESSAGE)

    def told(self, spans: Spans, provider: FakeProvider) -> bool:
        attributes, (request,) = spans.attributes(), provider.requests
        assert request.usage is not None
        return (
            attributes["gen_ai.response.model"] == request.model == "claude-haiku-4-5-20251001"
            and attributes["gen_ai.usage.output_tokens"] == request.usage["output_tokens"]
            and attributes["llmlab.usage.source"] == "reported"
        )

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("beta", [False, True])
    def test_bedrock_is_told_by_its_client(
        self, stream: bool, beta: bool, provider: FakeProvider, spans: Spans
    ) -> None:
        client = AnthropicBedrock(
            base_url=provider.anthropic_bedrock_url,
            aws_access_key="fake",
            aws_secret_key="fake",
            aws_region="eu-west-1",
        )
        with client:
            created = (client.beta if beta else client).messages.create(**self.BEDROCK, stream=stream)
            if stream:
                list(created)
        assert spans.attributes()["gen_ai.provider.name"] == "aws.bedrock"
        assert spans.attributes()["gen_ai.request.model"] == self.BEDROCK["model"]
        assert self.told(spans, provider)

    @pytest.mark.parametrize("stream", [False, True])
    def test_vertex_is_told_by_its_client(self, stream: bool, provider: FakeProvider, spans: Spans) -> None:
        async def run() -> None:
            async with AsyncAnthropicVertex(
                base_url=provider.anthropic_vertex_url, access_token="fake", region="europe-west1", project_id="p"
            ) as client:
                created: Any = await client.messages.create(**self.VERTEX, stream=stream)
                if stream:
                    [_ async for _ in created]

        asyncio.run(run())
        assert spans.attributes()["gen_ai.provider.name"] == "gcp.vertex_ai"
        assert spans.attributes()["gen_ai.request.model"] == self.VERTEX["model"]
        assert self.told(spans, provider)

    def test_foundry_serves_at_a_host_of_azures_by_anthropics_prices(self, spans: Spans) -> None:
        foundry = pytest.importorskip("anthropic.lib.foundry", reason="this version knows no Foundry")

        def answer(_: httpx2.Request) -> httpx2.Response:
            usage = {"input_tokens": 3, "output_tokens": 2}
            return httpx2.Response(200, json={"id": "msg_1", "model": "m", "content": [], "usage": usage})

        http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
        with foundry.AnthropicFoundry(resource="shop", api_key="fake", http_client=http_client) as client:
            client.messages.create(**MESSAGE)
        attributes = spans.attributes()
        assert attributes["gen_ai.provider.name"] == "anthropic"
        assert (attributes["server.address"], attributes["server.port"]) == ("shop.services.ai.azure.com", 443)
        assert attributes["gen_ai.usage.input_tokens"] == 3


@pytest.mark.skipif(not hasattr(anthropic, "beta_tool"), reason="this version has no tool runner")
def test_every_turn_of_the_tool_runner_is_a_call(
    claude: anthropic.Anthropic, provider: FakeProvider, spans: Spans
) -> None:
    def weather() -> str:
        """Tell the weather."""
        return "fine"

    runner = claude.beta.messages.tool_runner(
        **MESSAGE, tools=[anthropic.beta_tool(weather)], tool_choice={"type": "any"}
    )
    assert runner.until_done().stop_reason == "end_turn"
    assert [(span.attributes or {})["gen_ai.response.finish_reasons"] for span in spans.all()] == [
        ("tool_use",),
        ("end_turn",),
    ]
    assert [(span.attributes or {})["gen_ai.usage.output_tokens"] for span in spans.all()] == [
        (request.usage or {})["output_tokens"] for request in provider.requests
    ]
