"""What every dialect promises, asked of all of them. A new dialect is tested by being there."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.recordings import RECORDINGS
from llmlab.money import MAX_YOCTO, yocto
from llmlab_exporter.decode import PROTOBUF, decode
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.dialects import DIALECTS, WANTED
from llmlab_exporter.normalise import dialect_of_scope, normalise
from llmlab_exporter.reading.counts import MAX_COUNT
from llmlab_exporter.reading.values import MAX_TEXT_CHARS
from llmlab_exporter.span import Scope, Value
from normalise.spans import span

scalars: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(max_size=5), st.text(min_size=300)
)
values: st.SearchStrategy[Value] = st.one_of(
    scalars, st.lists(scalars, max_size=3).map(tuple), st.dictionaries(st.text(), scalars, max_size=2)
)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@each_dialect
@given(data=st.data())
def test_whatever_a_span_says_the_reading_is_sane(dialect: Dialect, data: st.DataObject) -> None:
    said: Mapping[str, Value] = data.draw(st.dictionaries(st.sampled_from(dialect.attributes), values))
    scope = Scope(data.draw(st.sampled_from([*dialect.scopes, "other"])), "1")
    reading = dialect.read(span(said, failed=data.draw(st.booleans())), scope)
    if reading is None:
        return
    for value in reading:
        if isinstance(value, str):
            assert value.isprintable()
            assert len(value) <= MAX_TEXT_CHARS
    for count in reading.usage:
        assert count is None or 0 <= count <= 4 * MAX_COUNT
    for cost in (reading.provider_cost, reading.claimed_cost):
        assert cost is None or 0 <= yocto(cost) <= MAX_YOCTO
    assert (reading.usage_source is None) <= (not reading.usage.known)


@each_dialect
def test_a_dialect_finds_its_spans(dialect: Dialect) -> None:
    assert dialect.needles
    assert dialect.scopes or dialect.markers
    assert all(dialect_of_scope(f"{scope}x") is dialect for scope in dialect.scopes)


def test_names_are_not_taken_twice() -> None:
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS) >= 3


def test_needles_skip_no_call_of_the_recordings() -> None:
    for recording in RECORDINGS:
        found = normalise(decode(recording.body, PROTOBUF, WANTED), latest_ns=2**63)
        everything = normalise(decode(recording.body, PROTOBUF, WANTED._replace(needles=())), latest_ns=2**63)
        assert found == everything


def test_dialects_ask_for_all_that_they_read() -> None:
    for recording in RECORDINGS:
        found = normalise(decode(recording.body, PROTOBUF, WANTED), latest_ns=2**63)
        assert found == normalise(decode(recording.body, PROTOBUF), latest_ns=2**63)
