"""Price lists of other makers, read into one form."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices.types import Tier, TieredPrices

from llmlab.pricing.catalogue import Catalogue
from llmlab.pricing.catalogue.comparing import compare
from llmlab.pricing.catalogue.formats import ADAPTERS, read_price_list
from llmlab.pricing.catalogue.published import catalogue_sheet
from llmlab.pricing.catalogue.sheet import PriceListError, Sheet

LITELLM = """{
  "sample_spec": {"litellm_provider": "one of ...", "input_cost_per_token": 0.0},
  "gpt-4o": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 2.5e-06,
    "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-06, "input_cost_per_token_batches": 1.25e-06,
    "output_cost_per_token_batches": 5e-06, "input_cost_per_token_priority": 4.25e-06, "supports_vision": true},
  "claude-sonnet-4-5": {"litellm_provider": "anthropic", "input_cost_per_token": 3e-06,
    "output_cost_per_token": 1.5e-05, "cache_creation_input_token_cost": 3.75e-06,
    "cache_creation_input_token_cost_above_1hr": 6e-06,
    "cache_read_input_token_cost": 3e-07, "search_context_cost_per_query": {"search_context_size_low": 0.01}},
  "vertex_ai/gemini-x": {"litellm_provider": "vertex_ai-language-models", "input_cost_per_token": 1e-06,
    "input_cost_per_token_above_200k_tokens": 2e-06, "output_cost_per_token": 5e-06},
  "groq/whisper": {"litellm_provider": "groq", "input_cost_per_second": 0.0000308333333333},
  "dall-e-3": {"litellm_provider": "openai", "output_cost_per_image": 0.04}
}"""

CSV = """provider,model,unit,price,from,tier,above
openai,gpt-4o,input_mtok,$2.50,2024-10-02,,
openai,gpt-4o,output_mtok,10,2024-10-02,,
openai,gpt-4o,input_mtok,1.25,2024-10-02,batch,
google,gemini-x,input_mtok,1.25,,,
google,gemini-x,input_mtok,2.50,,,200000
openai,tts,character,0.000015,,,
"""

YAML_ROWS = """
- {provider: openai, model: gpt-4o, unit: input_mtok, price: 2.50}
- {provider: openai, model: gpt-4o, unit: output_mtok, price: 10}
"""

VELLUM = """{"models": [
  {"provider": "OpenAI", "model": "gpt-4o", "inputCostPer1M": 2.5, "outputCostPer1M": 10, "contextWindow": 128000},
  {"provider": "anthropic", "name": "claude-sonnet-4-5", "input_cost_per_million": "$3.00",
   "output_cost_per_million": 15, "cached_input_cost_per_million": 0.3},
  {"provider": "x", "model": "no-price"}
]}"""

PUBLISHED = json.dumps(
    [
        {
            "id": "openai",
            "name": "OpenAI",
            "api_pattern": "x",
            "models": [
                {"id": "gpt-4o", "match": {"equals": "gpt-4o"}, "prices": {"input_mtok": 2.5, "output_mtok": 10}}
            ],
        }
    ]
)

USER = "prices: {openai/gpt-4o: {input_mtok: 2.50, output_mtok: 10}}"


def read(tmp_path: Path, text: str, name: str = "list") -> Sheet:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_price_list(path)


def prices(sheet: Sheet, model: str) -> dict[str, Decimal | TieredPrices]:
    return next(entry.prices for entry in sheet.entries if entry.model == model)


@pytest.mark.parametrize("text", [LITELLM, CSV, YAML_ROWS, VELLUM, PUBLISHED, USER])
def test_each_format_is_recognised_by_one_adapter_and_says_the_same(tmp_path: Path, text: str):
    assert len([adapter for adapter in ADAPTERS if adapter.recognises(text)]) == 1
    found = prices(read(tmp_path, text), "gpt-4o")
    assert (found["input_mtok"], found["output_mtok"]) == (Decimal("2.5"), Decimal(10))


def test_litellm_s_tokens_become_millions_with_every_digit(tmp_path: Path):
    sheet = read(tmp_path, LITELLM)
    found = prices(sheet, "claude-sonnet-4-5")
    assert found["cache_write_mtok"] == found["cache_write_5m_mtok"] == Decimal("3.75")
    assert (found["cache_write_1h_mtok"], found["cache_read_mtok"]) == (6, Decimal("0.3"))
    assert prices(sheet, "whisper")["audio_hours"] == Decimal("0.0000308333333333") * 3600


def test_litellm_s_tiers_and_variants_are_read(tmp_path: Path):
    entries = {entry.model: entry for entry in read(tmp_path, LITELLM).entries}
    assert entries["gpt-4o"].variants == {
        "batch": {"input_mtok": Decimal("1.25"), "output_mtok": Decimal(5)},
        "priority": {"input_mtok": Decimal("4.25")},
    }
    assert entries["gemini-x"].provider == "google"
    assert entries["gemini-x"].prices["input_mtok"] == TieredPrices(Decimal(1), [Tier(200_000, Decimal(2))])


def test_what_has_no_unit_of_ours_is_named_and_not_guessed(tmp_path: Path):
    sheet = read(tmp_path, LITELLM)
    assert "dall-e-3" not in {entry.model for entry in sheet.entries}
    assert [words for words in sheet.skipped if "output_cost_per_image" in words]


def test_a_price_page_has_dates_tiers_and_long_contexts(tmp_path: Path):
    entries = {entry.model: entry for entry in read(tmp_path, CSV).entries}
    assert entries["gpt-4o"].start == date(2024, 10, 2)
    assert entries["gpt-4o"].variants == {"batch": {"input_mtok": Decimal("1.25")}}
    assert entries["gemini-x"].prices["input_mtok"] == TieredPrices(Decimal("1.25"), [Tier(200_000, Decimal("2.50"))])
    assert entries["tts"].prices == {"input_mchars": Decimal(15)}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (CSV.replace("$2.50", "cheap"), 2, "'cheap' is no price"),
        (CSV.replace("gpt-4o,output_mtok", ",output_mtok"), 3, "model is empty"),
        (CSV.replace("openai,gpt-4o,input_mtok,1.25", "openai,gpt-4o,inputs,1.25"), 4, "unknown unit 'inputs'"),
        (CSV.replace("2024-10-02,,", "soon,,", 1), 2, "'soon' is no date"),
        (CSV.replace("200000", "lots"), 6, "above is 'lots'"),
        (CSV.replace(",above", ",abov"), 1, "did you mean above?"),
        (
            "- {provider: a, model: b, unit: input_mtok, price: 1}\n- {provider: a, model: b, unit: x, price: 1}\n",
            2,
            "x",
        ),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, text: str, line: int, words: str):
    with pytest.raises(PriceListError) as caught:
        read(tmp_path, text, "page.csv")
    assert f"page.csv:{line}: " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "hello", "{}", "[]", '{"a": 1}', "- 1", "\x00"])
def test_what_is_no_price_list_is_refused(tmp_path: Path, text: str):
    with pytest.raises(PriceListError, match="no price list that we know"):
        read(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(PriceListError, match="No such file"):
        read_price_list(tmp_path / "none")


def test_a_list_that_agrees_has_no_disagreement(catalogue: Catalogue):
    comparison = compare(catalogue, catalogue_sheet(catalogue), date(2026, 11, 20))
    assert comparison.compared > 2000
    assert {each.share for each in comparison.disagreements if each.provider == "openai"} == set()


def test_disagreements_come_with_the_largest_first(tmp_path: Path, catalogue: Catalogue):
    sheet = read(tmp_path, CSV.replace("$2.50", "3").replace("output_mtok,10,", "output_mtok,40,"))
    found = compare(catalogue, sheet, date(2026, 11, 20))
    assert [(each.key, each.ours, each.theirs, each.share) for each in found.disagreements] == [
        ("output_mtok", 10, 40, Decimal("0.75")),
        ("input_mtok", Decimal("2.5"), 3, Decimal("0.5") / 3),
    ]
    assert found.only_theirs == ("google/gemini-x", "openai/tts")


@pytest.mark.parametrize(("day", "disagree"), [(date(2024, 10, 1), 0), (date(2024, 10, 2), 1)])
def test_a_price_is_compared_from_its_date_on(tmp_path: Path, catalogue: Catalogue, day: date, disagree: int):
    sheet = read(tmp_path, "provider,model,unit,price,from\nopenai,gpt-4,input_mtok,1,2024-10-02\n")
    assert len(compare(catalogue, sheet, day).disagreements) == disagree
