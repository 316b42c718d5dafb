import json
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

import around
import overhead
from in_app import report
from in_app.figures import Run, differing_attributes, ratios, summarise
from in_app.switch import Switch
from in_app.variants import BY_NAME, VARIANTS
from page import PAGE, write_between

ATTRIBUTES = ["gen_ai.request.model", "gen_ai.usage.input_tokens"]


def make_run(*, bare_us: float = 1000.0, added_us: float = 100.0, attributes: list[str] = ATTRIBUTES) -> Run:
    return {
        "sdk": "openai 3.52.0",
        "version": "1.0",
        "startup": {"import_ms": 50.0, "rss_mib": 3.0, "modules": 80},
        "cost": {
            kind: {"bare_us": bare_us, "added_us": added_us, "added_process_us": added_us + 5}
            for kind in ("plain", "stream")
        },
        "content": {
            "plain": {"spans": 1, "attributes": attributes, "cached_tokens": True, "reasoning_tokens": True},
            "stream": {"spans": 1, "attributes": attributes, "cached_tokens": True, "reasoning_tokens": False},
        },
    }


@pytest.fixture
def this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let children run with this interpreter, which has the SDK and llmlab but none of the other packages."""

    def this_python(_environment: str) -> Path:
        return Path(sys.executable)

    for module in (overhead, around):
        monkeypatch.setattr(module, "python_of", this_python)


def measure_here(*names: str) -> overhead.Measurements:
    measurements = overhead.Measurements([BY_NAME[name] for name in names], calls=6)
    measurements.run_round()
    return measurements


@pytest.mark.usefixtures("this_environment")
def test_llmlab_and_the_floor_record_the_same() -> None:
    measurements = measure_here("floor", "llmlab")
    assert measurements.errors == {}
    assert differing_attributes(measurements.runs) == []


@pytest.mark.usefixtures("this_environment")
def test_the_bare_sdk_makes_no_spans() -> None:
    (run,) = measure_here("bare").runs["bare"]
    assert {content["spans"] for content in run["content"].values()} == {0}
    assert all(cost["bare_us"] > 0 for cost in run["cost"].values())


@pytest.mark.usefixtures("this_environment")
def test_a_package_that_cannot_be_imported_is_reported_and_does_not_stop_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    variants = measure_here("openlit", "bare").results()["variants"]
    assert variants["openlit"] == {"error": "ModuleNotFoundError: No module named 'openlit'"}
    assert variants["bare"]["compared_with"] == "bare"
    assert "openlit could not be measured" in capsys.readouterr().err


@pytest.mark.usefixtures("this_environment")
def test_llmlab_and_the_floor_take_some_time_around_the_sdks_own_work() -> None:
    (run,) = around.measure(processes=1, calls=6)["processes"]
    took_us = [took[name] for took in run.values() for name in around.VARIANTS]
    assert all(1 < us < 100_000 for us in took_us)


def test_the_page_shows_the_figures_of_the_last_run(tmp_path: Path) -> None:
    copy = tmp_path / "performance.md"
    copy.write_text(PAGE.read_text())
    write_between("overhead", report.render(json.loads(overhead.RESULTS.read_text())), copy)
    write_between("around", around.render(json.loads(around.RESULTS.read_text())), copy)
    assert copy.read_text() == PAGE.read_text()


def test_a_variant_without_figures_is_named_below_the_table() -> None:
    results = {"machine": {"cpus": 2, "python": "3.11"}, "rounds": 1, "variants": {"x": {"error": "broken"}}}
    assert report.render(results).endswith("Not measured: x (broken).")


def test_only_what_stands_between_the_markers_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- speed:begin -->\nold\n<!-- speed:end -->\nafter\n")
    write_between("speed", "new", page)
    assert page.read_text() == "before\n<!-- speed:begin -->\nnew\n<!-- speed:end -->\nafter\n"


def test_a_page_without_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing generated here\n")
    with pytest.raises(ValueError, match="speed:begin"):
        write_between("speed", "new", page)
    assert page.read_text() == "nothing generated here\n"


def test_one_disturbed_process_does_not_move_the_figure() -> None:
    figures = summarise([make_run(added_us=added) for added in (98.0, 100.0, 900.0)])
    assert figures["plain_us"] == 100.0
    assert figures["plain_us_range"] == [98.0, 900.0]


def test_a_slower_machine_does_not_change_the_ratio() -> None:
    floor = [make_run(bare_us=1000.0, added_us=80.0)]
    assert ratios([make_run(bare_us=1000.0, added_us=120.0)], floor)["plain"] == 1.5
    assert ratios([make_run(bare_us=2000.0, added_us=240.0)], floor)["plain"] == 1.5


def test_an_attribute_that_only_one_of_the_two_records_is_named() -> None:
    runs = {"floor": [make_run()], "llmlab": [make_run(attributes=[*ATTRIBUTES, "llmlab.tier"])]}
    assert differing_attributes(runs) == ["plain: llmlab.tier", "stream: llmlab.tier"]


def test_a_count_that_arrives_in_one_kind_of_call_only_is_shown_as_such() -> None:
    figures = {**summarise([make_run()]), "ratio_to_floor": {"plain": 1.5, "stream": 2.0}, "compared_with": "bare"}
    row = report.render_table({"x": figures}).splitlines()[-1]
    assert [cell.strip() for cell in row.split("|")[-3:-1]] == ["yes", "plain only"]


def test_every_environment_has_requirements_and_every_comparison_is_on_one_sdk() -> None:
    for variant in VARIANTS:
        assert (overhead.ROOT / "benchmarks" / "variants" / f"{variant.environment}.txt").exists()
        assert BY_NAME[variant.bare].environment == BY_NAME[variant.floor].environment


def test_an_unknown_variant_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["overhead.py", "--only", "flor"])
    with pytest.raises(SystemExit, match=r"(?s)no variant named flor.*hint:.*floor"):
        overhead.main()


@pytest.fixture
def client_class(monkeypatch: pytest.MonkeyPatch) -> type:
    """Return a class of a package `small_sdk`, with one method of its own and one that it inherits."""
    base = type("Base", (), {"__module__": "small_sdk", "send": _answer("original")})
    client = type("Client", (base,), {"__module__": "small_sdk", "close": _answer("original")})
    module = types.ModuleType("small_sdk")
    vars(module).update(Base=base, Client=client)
    monkeypatch.setitem(sys.modules, "small_sdk", module)
    return client


def _answer(text: str) -> Callable[[object], str]:
    def answer(_self: object) -> str:
        return text

    return answer


def test_the_switch_exchanges_methods_that_a_class_has_or_inherits(client_class: type) -> None:
    switch = Switch("small_sdk")
    for name in ("send", "close"):
        setattr(client_class, name, _answer("replaced"))
    assert switch.compare() == 2
    client = client_class()
    for on, answer in ((False, "original"), (True, "replaced"), (False, "original")):
        switch.turn(on=on)
        assert (client.send(), client.close()) == (answer, answer)
    assert "send" not in vars(client_class)


@pytest.mark.usefixtures("client_class")
def test_the_switch_finds_nothing_where_nothing_was_replaced() -> None:
    assert Switch("small_sdk").compare() == 0
