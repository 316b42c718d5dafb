from pathlib import Path

import pytest

from fuzz.target import take

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


def test_there_is_a_corpus() -> None:
    assert CORPUS


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_no_input_that_was_ever_found_does_harm(path: Path) -> None:
    take(path.read_bytes())


def test_a_recording_is_taken() -> None:
    recording = next((Path(__file__).parents[1] / "fixtures" / "otlp").rglob("*.pb"))
    assert take(b"\0" + recording.read_bytes())
