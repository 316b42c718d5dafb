"""Every query of every panel and variable, against a real Prometheus and the real engine."""

import re
from datetime import timedelta
from typing import Any

import pytest

from grafana.boards import FILES, Target, begin_of, expand_promql, expand_sql, load, targets
from grafana.month import END
from grafana.stack import Stack
from llmlab.usage import Usage
from llmlab_exporter.rates import parts
from servers import needs

pytestmark = [pytest.mark.e2e, needs("prometheus")]

_BOARDS = {board["uid"]: board for board in map(load, FILES)}
_SINCE = END - timedelta(days=30)
"""Rows are looked for in a month: a small sample has no outlier every day."""

_QUERIES = [pytest.param(target, id=str(target)) for target in targets()]
_VARIABLES = [
    pytest.param(uid, variable, id=f"{uid}/{variable['name']}")
    for uid, board in _BOARDS.items()
    for variable in board["templating"]["list"]
    if variable["type"] == "query"
]


@pytest.fixture(scope="module")
def options(loaded: Stack) -> dict[str, dict[str, list[str]]]:
    """By dashboard and variable, what the reader may choose."""
    return {uid: _options(loaded, board) for uid, board in _BOARDS.items()}


def _options(loaded: Stack, board: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for variable in board["templating"]["list"]:
        name: str = variable["name"]
        match variable["type"]:
            case "query":
                found[name] = _ask(loaded, variable, found)
            case "custom":
                found[name] = [variable["current"]["value"]]
            case "textbox":
                found[name] = [""]
            case _:
                pass
        if name in found and not variable.get("multi"):
            found[name] = found[name][:1]
    return found


def _ask(loaded: Stack, variable: dict[str, Any], chosen: dict[str, list[str]]) -> list[str]:
    query = variable["query"]
    if "rawSql" in query:
        rows = loaded.select(expand_sql(query["rawSql"], _SINCE, END, chosen))
        return [next(iter(row.values())) for row in rows]
    metric, label = query["query"].removeprefix("label_values(").removesuffix(")").split(", ")
    window = {"start": _SINCE.timestamp(), "end": END.timestamp()}
    return loaded.get(f"label/{label}/values", **{"match[]": metric}, **window)


def _rows(loaded: Stack, target: Target, chosen: dict[str, list[str]]) -> list[Any]:
    if target.is_sql:
        return loaded.select(expand_sql(target.text, _SINCE, END, chosen))
    begin = begin_of(_BOARDS[target.board], END)
    query = expand_promql(target.text, begin, END, chosen)
    if target.query["instant"]:
        return loaded.get("query", query=query, time=END.timestamp())["result"]
    step_s = max((END - begin).total_seconds() / 100, 60)
    window = {"start": begin.timestamp(), "end": END.timestamp(), "step": step_s}
    return loaded.get("query_range", query=query, **window)["result"]


@pytest.mark.parametrize(("uid", "variable"), _VARIABLES)
def test_every_variable_has_something_to_choose(
    uid: str, variable: dict[str, Any], options: dict[str, dict[str, list[str]]]
) -> None:
    assert options[uid][variable["name"]]


@pytest.mark.parametrize("target", _QUERIES)
def test_every_query_returns_rows(loaded: Stack, target: Target, options: dict[str, dict[str, list[str]]]) -> None:
    assert _rows(loaded, target, options[target.board])


def test_every_metric_that_is_asked_for_is_exposed_with_the_labels_that_are_asked_for(loaded: Stack) -> None:
    # the history is written by the tests, so that its names prove nothing
    families = set(re.findall(r"^# TYPE (\S+?)(?:_total)? ", loaded.exposed, re.MULTILINE))
    labels: dict[str, set[str]] = {}
    for name, inside in re.findall(r"^(\w+)\{(.*)\} ", loaded.exposed, re.MULTILINE):
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', inside))
    for target in targets():
        for name, inside in re.findall(r"\b((?:llm|llmlab)_\w+)(?:\{([^}]*)\})?", "" if target.is_sql else target.text):
            assert re.sub(r"_(total|bucket)$", "", name) in families, name
            asked = set(re.findall(r"(\w+)(?:=~|!=|=)", inside))
            assert asked <= labels.get(name, asked), (name, asked - labels.get(name, asked))


@pytest.mark.parametrize("target", _QUERIES)
def test_every_query_works_with_one_choice_of_each(
    loaded: Stack, target: Target, options: dict[str, dict[str, list[str]]]
) -> None:
    _rows(loaded, target, {name: values[-1:] for name, values in options[target.board].items()})


def test_the_empty_name_of_an_unknown_provider_can_be_chosen(
    loaded: Stack, options: dict[str, dict[str, list[str]]]
) -> None:
    chosen = options["llm-models"] | {"provider": [""]}
    assert "" in options["llm-models"]["provider"]
    (unpriced,) = (target for target in targets() if target.panel["title"] == "Models without a price")
    assert [row["Model"] for row in _rows(loaded, unpriced, chosen)] == ["(none) / house-tuned-7b"]


def test_a_quote_in_what_the_reader_types_is_text(loaded: Stack, options: dict[str, dict[str, list[str]]]) -> None:
    chosen = options["llm-requests"] | {"user": ["' OR '' = '"]}
    calls = next(target for target in targets() if target.board == "llm-requests")
    assert _rows(loaded, calls, chosen) == [{"calls": 0}]


def test_the_spend_that_is_shown_is_the_sum_of_the_rows(
    loaded: Stack, options: dict[str, dict[str, list[str]]]
) -> None:
    spend = next(target for target in targets() if target.board == "llm-spend")
    ((shown,),) = (row.values() for row in _rows(loaded, spend, options["llm-spend"]))
    rows = loaded.select(
        f"SELECT toString(cost_usd) AS cost FROM llm_calls FINAL WHERE started_at >= '{_SINCE:%F %T}' "
        f"AND started_at <= '{END:%F %T}' AND cost_usd IS NOT NULL"
    )
    assert shown == pytest.approx(sum(float(row["cost"]) for row in rows))


def _only_row(loaded: Stack, board: str, panel: str, chosen: dict[str, list[str]]) -> dict[str, Any]:
    asked = next(target for target in targets() if (target.board, target.panel["title"]) == (board, panel))
    (row,) = _rows(loaded, asked, chosen)
    return row


def _stored(loaded: Stack, columns: str, condition: str) -> list[dict[str, Any]]:
    return loaded.select(
        f"SELECT {columns} FROM llm_calls FINAL WHERE {condition} AND duplicate_of IS NULL "
        f"AND started_at >= '{_SINCE:%F %T}' AND started_at <= '{END:%F %T}'"
    )


@pytest.mark.parametrize(
    ("panel", "part", "sign"), [("Saved by cache", "cache_read", 1), ("Cache premium", "cache_write", -1)]
)
def test_what_a_cache_saved_and_cost_is_what_the_rates_of_the_rows_say(
    panel: str, part: str, sign: int, loaded: Stack, options: dict[str, dict[str, list[str]]]
) -> None:
    shown = _only_row(loaded, "llm-savings", panel, options["llm-savings"])
    counts = ("input_tokens", "output_tokens", "cache_read", "cache_write")
    difference = 0
    for row in _stored(loaded, f"rate, {', '.join(counts)}", f"{part} > 0"):
        usage = Usage(*(int(row[name] or 0) for name in counts))
        difference += _cost_yocto(row["rate"], usage._replace(**{part: 0})) - _cost_yocto(row["rate"], usage)
    assert difference * sign > 0
    assert shown["usd"] == pytest.approx(difference * sign / 1e24)


def _cost_yocto(rate: str, usage: Usage) -> int:
    return sum(each.cost_yocto for each in parts(rate, usage))


def test_a_batch_at_half_the_price_saved_as_much_as_it_cost(
    loaded: Stack, options: dict[str, dict[str, list[str]]]
) -> None:
    shown = _only_row(loaded, "llm-savings", "Saved by batch", options["llm-savings"])
    costs = _stored(loaded, "toString(cost_usd) AS cost", "batch AND cost_source = 'computed'")
    assert shown["usd"] == pytest.approx(sum(float(row["cost"]) for row in costs))


def test_a_discount_of_five_percent_leaves_a_factor_of_095(
    loaded: Stack, options: dict[str, dict[str, list[str]]]
) -> None:
    prices = next(target for target in targets() if target.panel["title"].startswith("Prices in force"))
    chosen = options["llm-models"]
    assert {row["Factor"] for row in _rows(loaded, prices, chosen | {"project": ["platform"]})} == {0.95}
    assert {row["Factor"] for row in _rows(loaded, prices, chosen | {"project": ["search"]})} == {1}


def test_duplicates_cost_nothing_and_calls_without_a_price_are_counted(
    loaded: Stack, options: dict[str, dict[str, list[str]]]
) -> None:
    unpriced = next(target for target in targets() if target.panel["title"] == "Unpriced calls")
    ((shown,),) = (row.values() for row in _rows(loaded, unpriced, options["llm-spend"]))
    ((counted,),) = (
        row.values()
        for row in loaded.select(
            "SELECT count() AS n FROM llm_calls FINAL "
            "WHERE model = 'house-tuned-7b' AND duplicate_of IS NULL AND billable "
            f"AND started_at >= '{_SINCE:%F %T}' AND started_at <= '{END:%F %T}'"
        )
    )
    assert int(shown) == int(counted) > 0
