from collections.abc import Generator

import pytest

from collector.sink import Sink


@pytest.fixture
def sink() -> Generator[Sink]:
    """A backend of one test."""
    with Sink() as started:
        yield started
