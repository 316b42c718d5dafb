"""Installing and removing the instrumentation, and what it leaves alone."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import openai
import pytest
import wrapt
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.resources.embeddings import AsyncEmbeddings, Embeddings
from opentelemetry.sdk.trace import TracerProvider

from fake_provider.testing import FakeProvider
from instrumentation.spans import Spans
from instrumentation.ways import CHAT
from llmlab import providers
from llmlab.capture.patching import Installation
from llmlab.instrumentor import LLMLabInstrumentor
from llmlab.providers.openai import PROVIDER

PATCHED = (Completions, AsyncCompletions, Embeddings, AsyncEmbeddings)


def functions() -> list[Any]:
    return [vars(owner)["create"] for owner in PATCHED]


def are_the_same(some: list[Any], others: list[Any]) -> bool:
    """Compare by identity: a wrapper is equal to what it wraps."""
    return all(one is other for one, other in zip(some, others, strict=True))


def run(code: str, *command: str, **environment: str) -> str:
    """Run a program in an interpreter of its own and return what it printed."""
    finished = subprocess.run(
        [*(command or (sys.executable,)), "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


class TestUninstrumenting:
    def test_it_puts_the_very_same_functions_back(self, tracer_provider: TracerProvider) -> None:
        before = functions()
        instrumentor = LLMLabInstrumentor()
        for _ in range(2):
            instrumentor.instrument(tracer_provider=tracer_provider)
            assert not any(now is then for now, then in zip(functions(), before, strict=True))
            instrumentor.uninstrument()
            assert are_the_same(functions(), before)

    def test_it_keeps_what_another_library_has_wrapped_since(
        self, client: openai.OpenAI, instrumentor: LLMLabInstrumentor, spans: Spans
    ) -> None:
        seen: list[str] = []

        def theirs(wrapped: Callable[..., Any], _instance: Any, args: Any, keywords: Any) -> Any:
            seen.append(keywords["model"])
            return wrapped(*args, **keywords)

        # Not by monkeypatch: it would put our wrapper back after the fixture below has put the original back.
        setattr(Completions, "create", wrapt.FunctionWrapper(vars(Completions)["create"], theirs))  # noqa: B010 - as below
        instrumentor.uninstrument()
        client.chat.completions.create(**CHAT)
        assert seen == ["gpt-4o"]
        assert not spans.all()

    @pytest.fixture(autouse=True)
    def originals(self) -> Iterator[None]:
        """Undo what the test above leaves behind on purpose."""
        before = functions()
        yield
        for owner, function in zip(PATCHED, before, strict=True):
            setattr(owner, "create", function)  # noqa: B010 - the SDK's types do not want it assigned


class TestDisabling:
    @pytest.fixture(autouse=True)
    def uninstrument(self) -> Iterator[None]:
        yield
        LLMLabInstrumentor().uninstrument()

    @pytest.mark.parametrize("named", ["llmlab-openai", "llmlab", "*", "requests, llmlab-openai ,flask"])
    def test_a_provider_can_be_disabled(self, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", named)
        before = functions()
        LLMLabInstrumentor().instrument()
        assert are_the_same(functions(), before)

    def test_disabling_another_leaves_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "openai,llmlab-anthropic")
        before = functions()
        LLMLabInstrumentor().instrument()
        assert not are_the_same(functions(), before)


def test_an_unsupported_version_is_left_alone_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    before = functions()
    Installation(replace(PROVIDER, versions=">=1.63,<2"))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"openai {openai.__version__}: it supports openai>=1.63,<2" in record.getMessage()
    assert are_the_same(functions(), before)


def test_a_vendored_sdk_is_left_alone_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    before = functions()
    Installation(replace(PROVIDER, distribution="no-such-distribution"))
    (record,) = caplog.records
    assert "imported but not installed" in record.getMessage()
    assert are_the_same(functions(), before)


def test_a_broken_provider_affects_no_other(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    client: openai.OpenAI,
    tracer_provider: TracerProvider,
    spans: Spans,
) -> None:
    (tmp_path / "aaa_broken.py").write_text("raise RuntimeError('broken')")
    (tmp_path / "bbb_renamed.py").write_text(
        "from dataclasses import replace\n"
        "from llmlab.providers.openai import PROVIDER as known\n"
        "PROVIDER = replace(known, name='renamed', calls=(replace(known.calls[0], attribute='Gone.create'),))\n"
    )
    monkeypatch.setattr(providers, "__path__", [str(tmp_path), *providers.__path__])
    instrumentor = LLMLabInstrumentor()
    instrumentor.instrument(tracer_provider=tracer_provider)
    client.chat.completions.create(**CHAT)
    instrumentor.uninstrument()
    assert [record.getMessage() for record in caplog.records] == [
        "llmlab could not load the provider aaa_broken; your call is not affected",
        f"llmlab could not instrument openai ({PROVIDER.calls[0].module}.Gone.create); your call is not affected",
    ]
    assert spans.attributes()["llmlab.usage.source"] == "reported"


class TestImports:
    HEAVY = ("openai", "pydantic", "pydantic_core", "httpx", "httpx2", "genai_prices", "urllib3", "click", "asyncio")

    def test_instrumenting_imports_no_sdk_and_nothing_heavy(self) -> None:
        code = (
            "import sys; from llmlab.instrumentor import LLMLabInstrumentor; LLMLabInstrumentor().instrument();"
            "print(*sys.modules)"
        )
        baseline = (
            "import sys; import opentelemetry.instrumentation.instrumentor, opentelemetry.trace; print(*sys.modules)"
        )
        ours = {name.partition(".")[0] for name in run(code).split()} - set(run(baseline).split())
        assert ours.isdisjoint(self.HEAVY)

    @pytest.mark.parametrize("name", [module.name for module in iter_modules(providers.__path__)])
    def test_a_provider_module_never_imports_its_sdk(self, name: str) -> None:
        code = (
            f"import sys; from llmlab.providers.{name} import PROVIDER;"
            "print(*(call.module for call in PROVIDER.calls if call.module.partition('.')[0] in sys.modules))"
        )
        assert run(code).split() == []

    def test_what_records_content_is_imported_only_where_content_is_wanted(self) -> None:
        code = (
            "import sys; from llmlab.instrumentor import LLMLabInstrumentor; LLMLabInstrumentor().instrument();"
            "import openai; openai.OpenAI(api_key='unused').chat.completions;"
            "print(*(name for name in sys.modules if name.startswith('llmlab.') and 'content' in name))"
        )
        assert run(code).split() == []

    def test_an_sdk_imported_later_is_instrumented(self) -> None:
        code = (
            "from llmlab.instrumentor import LLMLabInstrumentor; LLMLabInstrumentor().instrument();"
            "from openai.resources.chat.completions import Completions;"
            "from llmlab.capture.replacing import is_replaced;"
            "print(is_replaced(vars(Completions)['create']))"
        )
        assert run(code).strip() == "True"


class TestOpenTelemetryInstrument:
    CODE = (
        "import os, openai\n"
        "client = openai.OpenAI(base_url=os.environ['FAKE_URL'], api_key='fake')\n"
        "client.chat.completions.create(model='gpt-4o', messages=[{'role': 'user', 'content': 'hi'}])\n"
    )

    def exported(self, provider: FakeProvider, **environment: str) -> list[Any]:
        """Run the program under the command and return its spans."""
        command = Path(sys.executable).with_name("opentelemetry-instrument")
        printed = run(
            self.CODE,
            str(command),
            sys.executable,
            FAKE_URL=provider.openai_url,
            OTEL_TRACES_EXPORTER="console",
            OTEL_METRICS_EXPORTER="none",
            OTEL_LOGS_EXPORTER="none",
            **environment,
        )
        decoder, spans = json.JSONDecoder(), list[Any]()
        while printed := printed.strip():
            span, end = decoder.raw_decode(printed)
            spans.append(span)
            printed = printed[end:]
        return [span for span in spans if "gen_ai.operation.name" in span["attributes"]]

    def test_it_loads_us(self, provider: FakeProvider) -> None:
        (span,) = self.exported(provider)
        usage = provider.requests[0].usage
        assert usage is not None
        assert span["attributes"]["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]

    @pytest.mark.parametrize("named", ["llmlab", "llmlab-openai"])
    def test_it_can_be_told_not_to(self, named: str, provider: FakeProvider) -> None:
        assert self.exported(provider, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=named) == []
        assert provider.requests[0].usage is not None
