"""What the collector leaves on a span: all that the exporter bills by, and no word that somebody said to a model."""

import json
import re
from collections.abc import Generator

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.process import CONFIGS, OWN, CollectorProcess, collecting, needs_collector
from collector.sink import Sink, spans_of
from e2e.traces import post, request, span, text
from fixtures.recordings import RECORDINGS, Recording
from llmlab.pricing.pricer import Pricer
from llmlab_exporter.assess import Line
from llmlab_exporter.decode import PROTOBUF
from llmlab_exporter.dialects import WANTED
from llmlab_exporter.inspection import inspect_request

AT_ONCE = {"exporters": {"otlp_http/llm_cost": {"sending_queue": {"enabled": False}}}}
"""Answers when the backend has answered, so that each request can be told from the next."""

SECRETS = (b"Hello from", b"You are a helpful", b"Say hello", b"Weather in Paris", b"sunny", b"city", b"does not exist")
"""Words of the prompts, answers, tool calls and errors in the recordings."""


PRINTED = (
    "ChatCompletion(id='r1', choices=[Choice(finish_reason='stop'{middle})], model='m', "
    "service_tier='default', usage=CompletionUsage(prompt_tokens=1))"
)


class Passage:
    """A collector and what comes out of it."""

    def __init__(self, collector: CollectorProcess, sink: Sink) -> None:
        self._collector = collector
        self._sink = sink

    def through(self, body: bytes) -> bytes:
        """Send a request and return what went on."""
        assert post(self._collector.url, body).status == 200
        return self._sink.take()

    def attribute(self, sent: KeyValue) -> str | None:
        """Send a span of a call with one more attribute and return what is left of that; None if nothing is."""
        call = span(1)
        call.attributes.append(sent)
        (left,) = spans_of(self.through(request([call])))
        return next((each.value.string_value for each in left.attributes if each.key == sent.key), None)


@pytest.fixture(scope="module")
def passage(tmp_path_factory: pytest.TempPathFactory) -> Generator[Passage]:
    directory = tmp_path_factory.mktemp("collector")
    with (
        Sink() as backend,
        collecting(directory, OWN, {"LLMLAB_EXPORTER_ENDPOINT": backend.url}, AT_ONCE) as collector,
    ):
        yield Passage(collector, backend)


@pytest.fixture(scope="module")
def pricer() -> Pricer:
    return Pricer()


def lines(body: bytes, pricer: Pricer) -> list[Line]:
    found = inspect_request(body, PROTOBUF, pricer).lines
    return sorted(found, key=lambda line: (line.call.trace_id, line.call.span_id))


@pytest.mark.e2e
@needs_collector
@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_every_recording_is_billed_as_without_a_collector(
    recording: Recording, passage: Passage, pricer: Pricer
) -> None:
    once = passage.through(recording.body)
    assert lines(once, pricer) == lines(recording.body, pricer)
    assert lines(passage.through(once), pricer) == lines(recording.body, pricer)  # a sidecar before a gateway


@pytest.mark.e2e
@needs_collector
def test_no_word_of_a_prompt_or_an_answer_goes_on(passage: Passage) -> None:
    everything = b"".join(recording.body for recording in RECORDINGS)
    assert all(secret in everything for secret in SECRETS)
    left = passage.through(everything)
    assert left
    assert [secret for secret in SECRETS if secret in left] == []


@pytest.mark.e2e
@needs_collector
def test_spans_that_are_no_llm_calls_are_dropped(passage: Passage) -> None:
    everything = b"".join(recording.body for recording in RECORDINGS)
    sent, left = ({each.name for each in spans_of(body)} for body in (everything, passage.through(everything)))
    assert sent > left
    assert {"GET", "POST", "POST /v1/chat/completions"} <= sent - left
    assert passage.through(request([Span(trace_id=b"1" * 16, span_id=b"1" * 8, name="SELECT")])) == b""


@pytest.mark.e2e
@needs_collector
def test_messages_of_errors_stay_behind(passage: Passage) -> None:
    failed = span(1)
    failed.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message="cannot answer 'my secret'"))
    attributes = [text("exception.message", "my secret"), text("exception.type", "BadRequestError")]
    failed.events.append(Span.Event(name="exception", attributes=attributes))
    left = passage.through(request([failed]))
    assert b"my secret" not in left
    (got,) = spans_of(left)
    assert got.status.code == Status.STATUS_CODE_ERROR
    assert [each.key for each in got.events[0].attributes] == ["exception.type"]


@pytest.mark.e2e
@needs_collector
@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("output.value", {"id": "r1", "choices": ["secret"], "usage": {"n": 1}}, {"id": "r1", "usage": {"n": 1}}),
        (
            "gen_ai.completion",
            {"id": "r1", "choices": [{"finish_reason": "stop", "message": "secret"}, "secret"]},
            {"choices": [{"finish_reason": "stop"}], "id": "r1"},
        ),
        (
            "output.value",
            {"raw": PRINTED.format(middle=", message=M(content='secret')")},
            {"raw": PRINTED.format(middle="")},
        ),
        ("output.value", {"raw": PRINTED.format(middle="") + "secret"}, {}),
        ("output.value", {"raw": "secret"}, {}),
        ("braintrust.metadata", {"model": "m", "messages": ["secret"]}, {"model": "m"}),
        ("output.value", {"generations": [["secret"]], "llm_output": "secret"}, {}),
        ("output.value", {"generations": "secret", "llm_output": {"secret": 1}}, {"llm_output": {}}),
        (
            "output.value",
            {"generations": [[{"text": "secret", "message": {"kwargs": {"content": "secret", "id": "m"}}}, "secret"]]},
            {"generations": [[{"message": {"kwargs": {"id": "m"}}}]]},
        ),
        (
            "output.value",
            {
                "generations": [
                    [{"message": {"response_metadata": {"secret": 1, "usage": {"n": 1}}, "content": "secret"}}]
                ]
            },
            {"generations": [[{"message": {"kwargs": {"response_metadata": {"usage": {"n": 1}}}}}]]},
        ),
        (
            "ai.response.providerMetadata",
            {"google": {"groundingMetadata": {"secret": 1}, "usageMetadata": {"n": 1}}},
            {"provider": {"usageMetadata": {"n": 1}}},
        ),
        (
            "ai.response.providerMetadata",
            {"gateway": {"routing": "secret"}, "openai": {"logprobs": ["secret"], "serviceTier": "flex"}},
            {"provider": {"serviceTier": "flex"}},
        ),
        ("hidden_params", {"api_base": "https://a", "headers": "secret"}, {"api_base": "https://a"}),
        (
            "genkit:output",
            {
                "message": "secret",
                "raw": {"choices": ["secret"], "id": "r"},
                "custom": {"secret": 1},
                "usage": {"n": 1},
            },
            {"raw": {"id": "r"}, "usage": {"n": 1}},
        ),
        ("mlflow.spanOutputs", {"content": "secret", "model": "m"}, {"model": "m"}),
        ("gcp.vertex.agent.llm_response", {"content": "secret", "usage_metadata": {}}, {"usage_metadata": {}}),
        ("input.value", {"modelId": "m", "messages": ["secret"]}, {"modelId": "m"}),
        ("request_data", {"model": "m", "messages": ["secret"]}, {"model": "m"}),
        ("llm.invocation_parameters", {"model": "m", "tools": ["secret"]}, {"model": "m"}),
    ],
)
def test_an_object_is_cut_down_to_what_it_costs(passage: Passage, key: str, value: object, kept: object) -> None:
    left = passage.attribute(text(key, json.dumps(value)))
    assert left is not None
    assert json.loads(left) == kept


@pytest.mark.e2e
@needs_collector
def test_an_object_is_cut_down_as_a_map_too(passage: Passage) -> None:
    value = AnyValue()
    value.kvlist_value.values.extend([text("id", "r1"), text("choices", "secret")])
    assert passage.attribute(KeyValue(key="output.value", value=value)) == '{"id":"r1"}'


@pytest.mark.e2e
@needs_collector
@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("output.value", "secret", None),
        ("output.value", '["secret"]', None),
        ("output.value", '{"choices": ["truncated', None),
        ("model_request_parameters", '{"instructions": "secret"}', ""),
        ("logfire.msg_template", "secret", ""),
        ("url.full", "https://me:secret@api.openai.com:8443/v1/chat?prompt=secret", "https://api.openai.com:8443"),
        ("gen_ai.input.messages", "secret", None),
        ("a.library.of.tomorrow", "secret", None),
    ],
)
def test_a_text_is_dropped_or_cut_down_to_what_it_costs(
    passage: Passage, key: str, value: str, kept: str | None
) -> None:
    assert passage.attribute(text(key, value)) == kept


@pytest.mark.e2e
@needs_collector
def test_usage_on_events_goes_on(passage: Passage) -> None:
    sent = span(1)
    attributes = [
        text("gen_ai.prompt", "secret"),
        KeyValue(key="gen_ai.usage.output_tokens", value=AnyValue(int_value=7)),
    ]
    sent.events.append(Span.Event(name="gen_ai.choice", attributes=attributes))
    left = passage.through(request([sent]))
    (event,) = spans_of(left)[0].events
    assert [each.key for each in event.attributes] == ["gen_ai.usage.output_tokens"]


_CUT_DOWN = r'set\(span\.(?:attributes\["([^"]+)"\]|cache\["place"\], "([^"]+)"\))'
"""A statement that puts an attribute back, or names the one in which the answer is put back."""


@pytest.mark.e2e
@needs_collector
def test_a_resource_says_who_sent_it_but_not_its_command_line(passage: Passage) -> None:
    told = [text(key, "shop") for key in sorted(WANTED.resource_keys or ())]
    sent = ExportTraceServiceRequest.FromString(request([span(1)]))
    sent.resource_spans[0].resource.attributes.extend([*told, text("process.command_args", "secret")])
    left = ExportTraceServiceRequest.FromString(passage.through(sent.SerializeToString()))
    assert list(left.resource_spans[0].resource.attributes) == told
    assert told


def statements() -> list[str]:
    processors = yaml.safe_load((CONFIGS / "llm-spans.yaml").read_text())["processors"]
    return [each for group in processors["transform/llm_cost"]["trace_statements"] for each in group["statements"]]


def test_every_attribute_that_the_exporter_reads_is_kept_or_cut_down() -> None:
    assert WANTED.keys
    first, second = (each for each in statements() if each.startswith("keep_matching_keys(attributes, "))
    assert first == second
    (pattern,) = re.findall(r'"(.*)"', first)
    cut_down = {found[1] or found[2] for each in statements() if (found := re.match(_CUT_DOWN, each))}
    lost = {key for key in WANTED.keys if not re.search(pattern, key)} - cut_down
    assert not lost, "name these in collector-config/llm-spans.yaml: kept if they never carry content, else cut down"
