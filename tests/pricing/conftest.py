import pytest

from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.pricer import Pricer


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue()


@pytest.fixture(scope="session")
def pricer(catalogue: Catalogue) -> Pricer:
    return Pricer(catalogue)
