import enum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmlab.tags import MAX_TAGS, MAX_VALUE_CHARS, attribute_of, name_of, parse, tags_of


class Feature(enum.StrEnum):
    SEARCH = "search"


class OldFeature(str, enum.Enum):  # noqa: UP042 - its str() is the member's name, which is the point
    SEARCH = "search"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("search", "search"),
        (7, "7"),
        (0, "0"),
        (1.5, "1.5"),
        (True, "True"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Feature.SEARCH, "search"),
        (OldFeature.SEARCH, "search"),
        ("günther 東", "günther 東"),
        ("x" * MAX_VALUE_CHARS, "x" * MAX_VALUE_CHARS),
    ],
)
def test_texts_numbers_and_ids_can_be_values(value: object, expected: str) -> None:
    assert tags_of({"user": value}) == {"llmlab.user": expected}


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_is_said_without_a_value(value: object, caplog: pytest.LogCaptureFixture) -> None:
    assert tags_of({"user": value}) == {}
    assert not caplog.records


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("x" * (MAX_VALUE_CHARS + 1), "257 characters, and 256 are allowed"),
        ("two\nlines", "characters that cannot be printed"),
        (b"bytes", "is a bytes"),
        (["list"], "is a list"),
        (object(), "is a object"),
        (10**100, "too many digits"),
    ],
)
def test_a_value_that_cannot_be_used_is_left_out_and_logged_once(
    value: object, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert tags_of({"user": value, "feature": "search"}) == {"llmlab.feature": "search"}
    (record,) = caplog.records
    assert "the tag 'user'" in record.getMessage()
    assert problem in record.getMessage()


@pytest.mark.parametrize("name", ["", "1st", "with space", "a" * 65, "tab\t", "ümlaut", 5])
def test_a_name_that_cannot_be_used_is_left_out(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert tags_of({name: "x"}) == {}
    assert "a name has up to 64 letters" in caplog.text


def test_tags_of_the_users_own_keep_apart_from_ours() -> None:
    assert tags_of({"team": "core", "tier": "gold", "usage.source": "x"}) == {
        "llmlab.tag.team": "core",
        "llmlab.tag.tier": "gold",
        "llmlab.tag.usage.source": "x",
    }


def test_there_is_a_bound_to_their_number(caplog: pytest.LogCaptureFixture) -> None:
    assert len(tags_of({f"tag{number}": "x" for number in range(MAX_TAGS + 10)})) == MAX_TAGS
    assert "too many" in caplog.text


@pytest.mark.parametrize("name", ["feature", "user", "run", "session", "project", "team", "tag.team", "feature.x"])
def test_a_tag_is_found_again_by_its_attribute(name: str) -> None:
    assert name_of(attribute_of(name)) == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("feature=search,team=core", {"llmlab.feature": "search", "llmlab.tag.team": "core"}),
        (" feature = search , ", {"llmlab.feature": "search"}),
        ("feature=a%2Cb%3Dc", {"llmlab.feature": "a,b=c"}),
        ("feature=a=b", {"llmlab.feature": "a=b"}),
        ("feature=,team=core", {"llmlab.tag.team": "core"}),
    ],
)
def test_a_line_of_tags_is_read(text: str, expected: dict[str, str]) -> None:
    assert parse(text) == expected


def test_a_tag_without_a_value_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert parse("feature,team=core") == {"llmlab.tag.team": "core"}
    assert "the tag 'feature': it has no value" in caplog.text


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.floats(), st.binary(), st.none())))
def test_whatever_is_said_what_is_left_is_bounded(said: dict[str, object]) -> None:
    for name, value in tags_of(said).items():
        assert name.startswith("llmlab.")
        assert 0 < len(value) <= MAX_VALUE_CHARS
        assert value.isprintable()
