"""Names lead where they lead in genai-prices, however odd they are."""

from genai_prices.data_snapshot import find_provider_by_id, get_snapshot
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    MatchLogic,
    Provider,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.money import plain
from llmlab.pricing.catalogue import COMPILED, Catalogue
from llmlab.pricing.catalogue.lookup import Listing, Lookup
from llmlab.pricing.catalogue.matching import Matcher
from llmlab.pricing.names import price_list
from llmlab.pricing.pricer import KNOWN, Pricer
from llmlab.usage import Usage
from pricing.library import NOW, ns

PROVIDERS = get_snapshot().providers
LOOKUP = Lookup(get_snapshot(), "the catalogue")
NAMES = sorted({model.id for provider in PROVIDERS for model in provider.models})
PIECES = ["us.", "ft:", ":free", "-latest", "-20251211", "-2025-12-11", "-20251399", "-v1:0", "anthropic.", "@cf/", " "]

words = st.text("aBcİß-4.:/", max_size=6)
leaves: st.SearchStrategy[MatchLogic] = st.one_of(
    *(st.builds(kind, words) for kind in (ClauseEquals, ClauseStartsWith, ClauseEndsWith, ClauseContains)),
    st.builds(ClauseRegex, st.sampled_from(["^a", "b$", "[ac]{2}", "", "4|:", "B"])),
)
clauses = st.recursive(
    leaves,
    lambda inner: st.one_of(
        *(st.builds(kind, st.lists(inner, min_size=1, max_size=3)) for kind in (ClauseOr, ClauseAnd))
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A name of the catalogue, cut, spliced with another, doubled or decorated; or any text at all."""
    name = draw(st.sampled_from(NAMES))
    start, end = sorted(draw(st.tuples(st.integers(0, len(name)), st.integers(0, len(name)))))
    other = draw(st.sampled_from([*NAMES, *PIECES, ""]) | st.text(max_size=8))
    changed = draw(
        st.sampled_from(
            [
                name,
                name.upper(),
                name[start:],
                name[:end],
                name[:start] + name[end:],
                name[:start] + other + name[start:],
            ]
        )
    )
    return draw(st.sampled_from([changed, changed + other, other + changed, other]))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PROVIDERS), mutated())
def test_any_name_leads_to_the_model_that_the_library_finds(provider: Provider, name: str):
    found = LOOKUP.offered(provider, name)
    assert (found.model if found else None) is provider.find_model(name, all_providers=PROVIDERS)


@settings(max_examples=300, deadline=None)
@given(st.lists(clauses, max_size=8), st.lists(words, min_size=1, max_size=5))
def test_asking_all_clauses_at_once_finds_the_first_that_matches(asked: list[MatchLogic], texts: list[str]):
    matcher = Matcher(list(zip(asked, range(len(asked)), strict=True)))
    for text in [word.lower() for word in texts]:
        first = next((number for number, clause in enumerate(asked) if clause.is_match(text)), None)
        assert matcher.find(text) == first, text


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([each.id for each in PROVIDERS]), st.text(max_size=4), st.text("_- .AZ", max_size=2))
def test_any_provider_s_name_leads_to_the_provider_that_the_library_finds(name: str, before: str, after: str):
    for spelling in (name, name.upper(), before + name + after, name[1:], name[:4], before):
        assert LOOKUP.provider(spelling) is (
            find_provider_by_id(PROVIDERS, price_list(spelling)) if spelling.strip() else None
        )


@settings(max_examples=200, deadline=None)
@given(mutated())
def test_without_a_provider_any_name_leads_to_the_family_that_the_library_finds(name: str):
    family = next((each for each in PROVIDERS if each.model_match and each.model_match.is_match(name.lower())), None)
    model = family.find_model(name, all_providers=PROVIDERS) if family else None
    listing = LOOKUP.find("", [name])
    assert (listing.model if isinstance(listing, Listing) else None) is model


def test_invented_names_of_a_known_model_share_its_compiled_rates(catalogue: Catalogue):
    first, second = (catalogue.listing("openai", (name,)) for name in ("gpt-4o-2024-11-20", "GPT-4o-2024-11-20"))
    assert first
    assert second
    assert catalogue.rates(first) is catalogue.rates(second)


def test_a_flood_of_invented_names_changes_no_price_and_fills_no_memory():
    catalogue = Catalogue()
    pricer = Pricer(catalogue)
    for number in range(KNOWN + 10):
        pricer.price("anthropic", (f"claude-sonnet-4-5-{number}",), Usage(1), ns(NOW), tier=f"tier {number}")
    assert plain(pricer.price("openai", ("gpt-4",), Usage(1000, 500), ns(NOW)).cost_yocto) == "0.06"
    assert catalogue.compiled <= COMPILED
