import signal
import subprocess
import sys
import threading
from pathlib import Path

import openai
import pytest
import urllib3

from fake_provider.testing import FakeProvider

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_it_starts_and_stops_without_leaving_a_thread_or_a_port() -> None:
    before = set(threading.enumerate())
    with FakeProvider() as provider, FakeProvider():
        assert urllib3.request("GET", f"{provider.url}/_book").json() == {"calls": []}
    assert set(threading.enumerate()) <= before
    with pytest.raises(urllib3.exceptions.HTTPError):
        urllib3.request("GET", f"{provider.url}/_book", retries=False)


def test_the_process_prints_its_url_and_stops_on_sigterm() -> None:
    command = [sys.executable, "-m", "fake_provider", "--port", "0"]
    with subprocess.Popen(command, cwd=EXAMPLES, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with openai.OpenAI(base_url=f"{url}/v1", api_key="fake") as client:
            response = client.embeddings.create(model="text-embedding-3-small", input="one")
        assert response.usage.prompt_tokens == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
