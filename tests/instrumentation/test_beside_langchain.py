"""Somebody else's instrumentation of the SDK below LangChain, where ours is off: two spans, of which one is billed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from fake_provider.testing import FakeProvider
from instrumentation.langchain_models import HttpChat
from instrumentation.spans import Spans
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import Line
from llmlab_exporter.inspection import inspect_request

pytestmark = pytest.mark.usefixtures("instrumentor")

USAGE = {"prompt_tokens": 1873, "completion_tokens": 317}
OPENINFERENCE = "openinference.instrumentation.openai"
OPENLLMETRY = "opentelemetry.instrumentation.openai.v1"


class WatchedChat(HttpChat):
    """A model whose SDK is watched by somebody else, and which may keep the provider's id to itself."""

    tracer: Any
    tells_id: bool

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> ChatResult:
        with self.tracer.start_as_current_span("request", kind=trace.SpanKind.CLIENT) as span:
            result = super()._generate(messages, stop, run_manager, **more)
            said = result.generations[0].message.response_metadata
            self._describe(span, said["id"] if self.tells_id else said.pop("id"))
            return result

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any
    ) -> Iterator[ChatGenerationChunk]:
        with self.tracer.start_as_current_span("request", kind=trace.SpanKind.CLIENT) as span:
            for chunk in super()._stream(messages, stop, run_manager, **more):
                self._describe(span, str(chunk.message.id))
                if not self.tells_id:
                    chunk.message.id = None
                yield chunk

    def _describe(self, span: trace.Span, response_id: str) -> None:
        if span.instrumentation_scope.name == OPENINFERENCE:  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            answer = json.dumps({"id": response_id, "object": "chat.completion", "model": "gpt-4o-2024-08-06"})
            span.set_attributes(
                {
                    "openinference.span.kind": "LLM",
                    "llm.system": "openai",
                    "llm.model_name": "gpt-4o-2024-08-06",
                    "llm.token_count.prompt": 1873,
                    "llm.token_count.completion": 317,
                    "output.value": answer,
                    "output.mime_type": "application/json",
                }
            )
        else:
            span.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4o",
                    "gen_ai.response.model": "gpt-4o-2024-08-06",
                    "gen_ai.response.id": response_id,
                    "gen_ai.usage.input_tokens": 1873,
                    "gen_ai.usage.output_tokens": 317,
                }
            )


def lines(spans: list[ReadableSpan]) -> list[Line]:
    return inspect_request(encode_spans(spans).SerializeToString(), "application/x-protobuf", Pricer()).lines


@pytest.mark.parametrize("scope", [OPENINFERENCE, OPENLLMETRY])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("tells_id", [False, True])
def test_one_of_both_spans_is_billed(
    scope: str,
    streamed: bool,
    tells_id: bool,
    provider: FakeProvider,
    tracer_provider: TracerProvider,
    spans: Spans,
) -> None:
    headers = {"x-fake-usage": json.dumps(USAGE)}
    tracer = tracer_provider.get_tracer(scope)
    model = WatchedChat(url=provider.openai_url, headers=headers, tracer=tracer, tells_id=tells_id)
    for _ in range(2):
        if streamed:
            list(model.stream("hi"))
        else:
            model.invoke("hi")
    ours = [span for span in spans.all() if span.name == "chat gpt-4o"]
    assert [("gen_ai.response.id" in (span.attributes or {})) for span in ours] == [tells_id] * 2
    billed = [line.call for line in lines(spans.all()) if line.call.reading.billable]
    assert len(spans.all()) == 4
    assert [(call.reading.usage.input, call.reading.usage.output) for call in billed] == [(1873, 317)] * 2
