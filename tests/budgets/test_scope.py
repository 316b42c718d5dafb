"""Which calls count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.budgets import EVERYTHING, Scope
from llmlab.budgets.scope import DIMENSIONS, fits

CALL = {
    "org": "acme",
    "project": "web",
    "service": "shop",
    "environment": "prod",
    "provider": "openai",
    "model": "gpt-4o-2024-08-06",
    "feature": "search",
}


@pytest.mark.parametrize(
    ("wanted", "found", "fit"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", False),
        ("gpt-4", "gpt-4-0613", True),
        ("gpt-4", "gpt-4o", False),
        ("gpt-4", "gpt-4.1-2025-04-14", False),
        ("claude-sonnet-4", "claude-sonnet-4-20250514", True),
        ("claude-sonnet-4", "claude-sonnet-4@20250514", True),
        ("claude-sonnet-4", "claude-sonnet-4-5-20250929", False),
        ("gemini-2.0-flash", "gemini-2.0-flash-001", True),
        ("gpt-4o-2024-08-06", "gpt-4o", False),
        ("gpt-4o*", "gpt-4o-mini-2024-07-18", True),
        ("*sonnet*", "anthropic.claude-3-5-sonnet-20240620-v1:0", True),
        ("GPT-4o", "gpt-4o-2024-08-06", True),
        ("my-[a]?model*", "my-[a]?model-7", True),
        ("my-[a]?model*", "my-abmodel-7", False),
    ],
)
def test_a_model_fits_its_versions_and_no_other_model(wanted: str, found: str, fit: bool) -> None:
    assert fits("model", wanted, found) is fit


def test_only_models_have_versions() -> None:
    assert not fits("project", "web", "web-0613")


def test_every_field_that_is_said_must_fit() -> None:
    assert Scope(project="web", model="gpt-4o").matches(CALL)
    assert not Scope(project="web", model="o3").matches(CALL)
    assert not Scope(project="web", user="u1").matches(CALL)
    assert Scope(project="web", user="u1").matches(CALL | {"user": "u1"})


@given(st.dictionaries(st.sampled_from(DIMENSIONS), st.text(max_size=10)))
def test_a_scope_without_limits_fits_every_call(call: dict[str, str]) -> None:
    assert EVERYTHING.matches(call)


@given(st.dictionaries(st.sampled_from(DIMENSIONS), st.text(min_size=1, max_size=10), min_size=1))
def test_a_call_fits_the_scope_of_its_own_words_and_each_part_of_it(call: dict[str, str]) -> None:
    assert Scope(**call).matches(call)
    for name, value in call.items():
        assert Scope(**{name: value}).matches(call)
        assert not Scope(**{name: value}).matches({**call, name: value + "x"}) or value.endswith("*")
