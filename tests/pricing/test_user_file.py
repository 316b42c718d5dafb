from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices.types import TieredPrices

from llmlab.pricing.catalogue.sheet import PriceListError
from llmlab.pricing.catalogue.user_file import read_user_file

GOOD = """
prices:
  openai/gpt-4o:
    - {input_mtok: 2.5, output_mtok: 10}
    - from: 2026-10-01
      input_mtok: 0.1
      output_mtok: "8.000000000000000001"
      batch: {input_mtok: 1.00}
      service_tiers: {priority: {input_mtok: 4}}
  "*/gemini-*": {input_mtok: {base: 1.25, tiers: [{start: 200_000, price: 2.5}]}, output_mtok: 10}
  my-vllm/*: free
  openai/dall-e-3: {request: 0.04}
discounts:
  - {provider: openai, percent: 12.5, from: 2026-01-01, until: 2027-01-01}
"""


def test_amounts_are_read_to_the_last_digit_and_never_through_a_float():
    entries = read_user_file(GOOD, "prices.yaml").entries
    assert entries[1].prices == {"input_mtok": Decimal("0.1"), "output_mtok": Decimal("8.000000000000000001")}
    assert entries[1].variants == {"batch": {"input_mtok": Decimal("1.00")}, "priority": {"input_mtok": Decimal(4)}}


def test_tiers_and_single_things_are_written_in_the_catalogue_s_units():
    entries = {entry.model: entry for entry in read_user_file(GOOD, "prices.yaml").entries}
    tiered = entries["gemini-*"].prices["input_mtok"]
    assert isinstance(tiered, TieredPrices)
    assert [(tier.start, tier.price) for tier in tiered.tiers] == [(200_000, Decimal("2.5"))]
    assert entries["dall-e-3"].prices == {"requests_kcount": Decimal(40)}
    assert entries["*"].prices == {}


def test_the_version_changes_with_the_text_and_only_with_it():
    labels = {read_user_file(text, "prices.yaml").label for text in (GOOD, GOOD, GOOD + "# more\n")}
    assert len(labels) == 2


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "prices: {}\n", "discounts: []\n"])
def test_a_file_may_say_nothing(text: str):
    assert read_user_file(text, "prices.yaml").entries == ()


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("prices: {openai/gpt-4o: {input_mtok: abc}}", "1:38", ["'abc' is no price", "such as 2.50"]),
        ("prices: {openai/gpt-4o: {input_mtok: -1}}", "1:38", ["'-1' is no price"]),
        ("prices: {openai/gpt-4o: {input_mtok: 1e999}}", "1:38", ["is no price"]),
        ("prices: {openai/gpt-4o: {input_mtok: nan}}", "1:38", ["is no price"]),
        ("prices: {openai/gpt-4o: {input_mtoks: 1}}", "1:26", ["'input_mtoks'", "did you mean input_mtok?"]),
        ("prices: {openai/gpt-4o: {form: 2026-01-01}}", "1:26", ["'form'", "did you mean from?"]),
        ("prices:\n  gpt-4o: {input_mtok: 1}", "2:3", ["'gpt-4o'", "openai/gpt-4o", "*/gpt-4o"]),
        ("prices:\n  a/b: {}", "2:8", ["no price", "free: true"]),
        ("prices:\n  a/b: {output_mtok: 1, free: true}", "2:8", ["free", "has prices"]),
        ("prices:\n  a/b: {cache_read_mtok: 1}", "2:8", ["input_tokens", "add the missing price"]),
        ("prices:\n  a/b: {from: yesterday, input_mtok: 1}", "2:15", ["'yesterday'", "2026-10-01"]),
        ("prices:\n  a/b: [{input_mtok: 1}, {input_mtok: 2}]", "2:26", ["two prices", "line 2"]),
        ("prices:\n  a/b: {input_mtok: {tiers: []}}", "2:21", ["needs a base"]),
        ("prices:\n  a/b: {input_mtok: {base: 1, tiers: [{start: -5, price: 1}]}}", "2:47", ["start is '-5'"]),
        ("prices:\n  a/b: {input_mtok: {base: 1, tiers: [{start: 5}]}}", "2:39", ["start and price"]),
        ("prices:\n  a/b: cheap", "2:8", ["'cheap'", "free"]),
        ("prices:\n  a/b: {request: 1, requests_kcount: 1}", "2:21", ["requests_kcount", "keep one"]),
        ("pricess: {}", "1:1", ["'pricess'", "did you mean prices?"]),
        ("prices:\n  a/b: free\n  a/b: free", "3:3", ["twice", "line 2"]),
        ("prices:\n  a/b: free\n  A/b: free", "3:3", ["case makes no difference", "line 2"]),
        ("prices:\n  a/b: []", "2:8", ["empty list"]),
        ("prices: [1]", "1:9", ["a list stands where a mapping"]),
        ("discounts:\n  - {percent: 10}", "2:5", ["without provider and project"]),
        ("discounts:\n  - {provider: openai}", "2:5", ["percent"]),
        ("discounts:\n  - {provider: openai, percent: 101}", "2:33", ["'101'", "at most 100"]),
        ("discounts:\n  - {provider: openai, percent: 0}", "2:33", ["above 0"]),
        ("discounts:\n  - {provder: openai, percent: 5}", "2:6", ["did you mean provider?"]),
        ("discounts:\n  - {project: a, percent: 5, from: 2026-02-01, until: 2026-02-01}", "2:5", ["not after"]),
        ("prices:\n  *: {input_mtok: 1}", "2:4", ["no YAML", "quote names"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_what_would_be_right(text: str, place: str, words: list[str]):
    with pytest.raises(PriceListError) as caught:
        read_user_file(text, "prices.yaml")
    message = str(caught.value)
    assert message.startswith(f"prices.yaml:{place}: "), message
    assert [word for word in words if word not in message] == [], message


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(PriceListError) as caught:
        read_user_file("prices:\n  a/b: {input_mtok: x}\n  c/d: {output_mtok: y}\nnope: 1\n", "p.yaml")
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]


def test_the_example_in_the_documentation_is_valid():
    page = (Path(__file__).parents[2] / "docs" / "pricing.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    own = read_user_file(example, "prices.yaml")
    assert (len(own.entries), len(own.rules)) == (8, 2)
