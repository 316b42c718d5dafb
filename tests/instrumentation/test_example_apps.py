"""The example applications under `opentelemetry-instrument`, as a user starts them: one span per call, none changed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fake_provider.testing import FakeProvider

APPS = Path(__file__).parents[2] / "examples" / "apps"
LAUNCHER = Path(sys.executable).with_name("opentelemetry-instrument")


class App(NamedTuple):
    name: str
    environment: dict[str, str]
    """`{url}` stands for the address of the fake provider."""
    providers: str
    """Separated by commas."""


EXAMPLES = (
    App("anthropic_app", {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_API_KEY": "fake"}, "anthropic"),
    App(
        "bedrock_app",
        {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "{url}/bedrock",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "fake",
            "AWS_SECRET_ACCESS_KEY": "fake",
        },
        "aws.bedrock",
    ),
    App("groq_app", {"GROQ_BASE_URL": "{url}/groq", "GROQ_API_KEY": "fake"}, "groq"),
    App("mistralai_app", {"MISTRAL_SERVER_URL": "{url}/mistral", "MISTRAL_API_KEY": "fake"}, "mistral_ai"),
    App("cohere_app", {"CO_API_URL": "{url}", "CO_API_KEY": "fake"}, "cohere"),
    App("google_genai_app", {"GOOGLE_GEMINI_BASE_URL": "{url}", "GEMINI_API_KEY": "fake"}, "gcp.gemini"),
    App(
        "langchain_agent",
        {
            "ANTHROPIC_BASE_URL": "{url}",
            "ANTHROPIC_API_KEY": "fake",
            "OPENAI_BASE_URL": "{url}/v1",
            "OPENAI_API_KEY": "fake",
        },
        "anthropic,openai",
    ),
    App("huggingface_app", {"HF_CHAT_URL": "{url}/v1", "HF_TOKEN": "hf_fake"}, "huggingface"),
)


@pytest.mark.parametrize("app", EXAMPLES, ids=lambda app: app.name)
def test_every_billed_call_of_the_application_is_one_span(app: App, provider: FakeProvider) -> None:
    environment = os.environ | {name: value.format(url=provider.url) for name, value in app.environment.items()}
    environment |= {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    program = APPS / f"{app.name}.py"
    ended = subprocess.run(
        [LAUNCHER, sys.executable, program], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    attributes = [span["attributes"] for span in spans_in(ended.stdout)]
    billed = [request for request in provider.requests if request.usage is not None]
    assert len(attributes) == len(billed) >= 3
    for each in attributes:
        assert each["llmlab.usage.source"] == "reported"
    assert {each["gen_ai.provider.name"] for each in attributes} == set(app.providers.split(","))


def spans_in(output: str) -> list[dict[str, Any]]:
    """Return our spans of calls. The console exporter writes each as lines of JSON, among what the app prints."""
    spans: list[dict[str, Any]] = []
    start = output.find("{\n")
    while start >= 0:
        span, length = json.JSONDecoder().raw_decode(output[start:])
        spans.append(span)
        start = output.find("{\n", start + length)
    return [span for span in spans if "gen_ai.provider.name" in span["attributes"]]
