"""One fake provider for the module, its book wiped before each test."""

from collections.abc import Iterator

import openai
import pytest

from fake_provider.testing import FakeProvider


@pytest.fixture(scope="module")
def running() -> Iterator[FakeProvider]:
    with FakeProvider(pause_s=0.02) as provider:
        yield provider


@pytest.fixture
def provider(running: FakeProvider) -> FakeProvider:
    running.reset()
    return running


@pytest.fixture
def client(provider: FakeProvider) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=provider.openai_url, api_key="fake", max_retries=0) as client:
        yield client
