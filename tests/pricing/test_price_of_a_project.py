"""What the exporter asks the pricer, as far as the user's file is concerned."""

from decimal import Decimal

import pytest

from calls import call
from llmlab.money import plain
from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.catalogue.user_file import read_user_file
from llmlab.pricing.pricer import Pricer
from llmlab.usage import NO_USAGE, Usage
from llmlab_exporter.assess import assess

TEXT = """
prices:
  openai/gpt-5-mini: {input_mtok: 1, output_mtok: 1}
  my-vllm/*: free
discounts:
  - {project: research, percent: 50}
"""


@pytest.fixture
def own(catalogue: Catalogue) -> Pricer:
    return Pricer(catalogue, read_user_file(TEXT, "prices.yaml"))


def test_the_discount_is_that_of_the_project_which_the_call_is_stored_under(own: Pricer):
    plain_call = call(1, usage=Usage(1000, 1000))
    by_resource = call(2, usage=Usage(1000, 1000))._replace(project="research")
    by_itself = call(3, usage=Usage(1000, 1000), project="research")
    lines = assess([plain_call, by_resource, by_itself], own)
    assert [plain(line.priced.cost_yocto) for line in lines] == ["0.002", "0.001", "0.001"]
    assert [line.priced.discount for line in lines] == ["", "50 % project research", "50 % project research"]


def test_what_the_provider_says_is_not_discounted(own: Pricer):
    said = call(1, provider_cost=Decimal("0.5"))._replace(project="research")
    assert [plain(line.priced.cost_yocto) for line in assess([said], own)] == ["0.5"]


def test_a_free_model_is_free_without_a_usage_and_without_a_doubt(own: Pricer):
    silent = call(1, usage=NO_USAGE, usage_source=None, response_model="llama", request_model="llama")
    (line,) = assess([silent._replace(provider="my-vllm")], own)
    assert (line.priced.cost_yocto, line.priced.source) == (0, "computed")
