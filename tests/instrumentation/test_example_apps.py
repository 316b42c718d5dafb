"""The example applications under `opentelemetry-instrument`, as a user starts them: one span per call, none changed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import pytest

from fake_provider.server import listen
from fake_provider.testing import FakeProvider

APPS = Path(__file__).parents[2] / "examples" / "apps"
LAUNCHER = Path(sys.executable).with_name("opentelemetry-instrument")
UVICORN = LAUNCHER.with_name("uvicorn")
TO_CONSOLE = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


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
    App("openai_app", {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "fake"}, "openai"),
    App("huggingface_app", {"HF_CHAT_URL": "{url}/v1", "HF_TOKEN": "hf_fake"}, "huggingface"),
)


@pytest.mark.parametrize("app", EXAMPLES, ids=lambda app: app.name)
def test_every_billed_call_of_the_application_is_one_span(app: App, provider: FakeProvider) -> None:
    environment = os.environ | TO_CONSOLE
    environment |= {name: value.format(url=provider.url) for name, value in app.environment.items()}
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


class Asked(NamedTuple):
    user: str
    feature: str
    text: str


@contextmanager
def service(environment: dict[str, str]) -> Generator[tuple[str, subprocess.Popen[str]]]:
    """Run the service as its documentation says, on a socket that is open already; yield its address."""
    with listen() as socket:  # closed here when the service has it, so that nobody waits for one that did not start
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        command = [LAUNCHER, UVICORN, "--app-dir", APPS, "--fd", str(socket.fileno()), "fastapi_service:app"]
        process = subprocess.Popen(
            command,
            env=os.environ | TO_CONSOLE | environment,
            pass_fds=[socket.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    try:
        yield url, process
    finally:
        process.kill()
        process.communicate()


def ask(url: str, asked: Asked) -> str:
    headers = {"x-user-id": asked.user, "x-feature": asked.feature, "content-type": "application/json"}
    request = Request(f"{url}/answers", json.dumps({"text": asked.text}).encode(), headers)
    with urlopen(request, timeout=30) as response:
        return response.read().decode()


def test_each_call_of_a_service_belongs_to_the_user_of_its_request(provider: FakeProvider) -> None:
    # Questions of different lengths, so that the tokens tell whose call it was.
    questions = [Asked(f"u{number}", f"f{number % 3}", "word " * (4 * number + 1)) for number in range(10)]
    environment = {"OPENAI_BASE_URL": provider.openai_url, "OPENAI_API_KEY": "fake", "MODEL": "slow"}
    with service(environment) as (url, process):
        with ThreadPoolExecutor(len(questions)) as pool:
            answers = list(pool.map(partial(ask, url), questions))
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert all(answer.startswith("You asked: word") for answer in answers)
    billed = {
        request.body["messages"][0]["content"]: request.usage["prompt_tokens"]
        for request in provider.requests
        if request.usage is not None
    }
    assert len(set(billed.values())) == len(questions)
    recorded = [
        (span["llmlab.user"], span["llmlab.feature"], span["gen_ai.usage.input_tokens"], span["llmlab.usage.source"])
        for span in (span["attributes"] for span in spans_in(output))
    ]
    assert sorted(recorded) == [(asked.user, asked.feature, billed[asked.text], "reported") for asked in questions]


def spans_in(output: str) -> list[dict[str, Any]]:
    """Return our spans of calls. The console exporter writes each as lines of JSON, among what the app prints."""
    spans: list[dict[str, Any]] = []
    start = output.find("{\n")
    while start >= 0:
        span, length = json.JSONDecoder().raw_decode(output[start:])
        spans.append(span)
        start = output.find("{\n", start + length)
    return [span for span in spans if "gen_ai.provider.name" in span["attributes"]]
