from collections.abc import Iterator

import pytest

from sql.endpoint import Endpoint, running


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """One endpoint for the tests of a module: a process has room for one engine."""
    with running(tmp_path_factory.mktemp("sql")) as started:
        yield started
