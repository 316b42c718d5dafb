from collections.abc import Iterator

import pytest

from grafana.stack import Stack, stack


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Both data sources, with an eighth of the calls and a fifth of the scrapes."""
    with stack(tmp_path_factory.mktemp("grafana"), share=0.12, scale=5) as running:
        yield running
