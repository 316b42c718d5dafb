"""`llmlab prices`, as a person uses it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from typing_extensions import override

from llmlab.pricing.catalogue.compiling import REGISTRY
from llmlab_exporter.cli.prices import prices
from llmlab_exporter.cli.prices_show import PER
from llmlab_exporter.price_files import catalogue_path
from pricing.test_formats import CSV, LITELLM, PUBLISHED, VELLUM

NOBODY = "http://127.0.0.1:9"
"""Where no exporter listens."""

SUMMARY = """{"as_of": "2026-11-21T00:00:00Z", "timezone": "UTC", "periods": {}, "window": {}, "by_provider": {},
"models": [], "pipeline": {}, "unpriced": {"requests": 12, "models": [
{"provider": "openai", "model": "gpt-4o-minni", "requests": 12}]}}"""


class Served(BaseHTTPRequestHandler):
    pages: dict[str, str] = {}  # noqa: RUF012 - filled by the test that serves them

    def do_GET(self) -> None:
        page = self.pages.get(self.path.partition("?")[0])
        self.send_response(404 if page is None else 200)
        self.end_headers()
        self.wfile.write((page or "").encode())

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test's output is the command's."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    Served.pages = {}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMLAB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("LLMLAB_PRICES", raising=False)
    return tmp_path / "data"


def run(*arguments: str, ok: bool = True) -> str:
    result: Result = CliRunner().invoke(prices, arguments)
    assert (result.exit_code == 0) == ok, result.output
    return result.output


def test_show_names_the_prices_their_source_and_the_alias():
    page = run("show", "gpt-4o-2024-11-20")
    assert "openai/gpt-4o for gpt-4o-2024-11-20" in page
    assert "genai-prices 0." in page
    assert [line.split()[:5] for line in page.splitlines() if line.startswith("input_mtok")] == [
        ["input_mtok", "1M", "tokens", "2.5", "1.25"]
    ]


def test_show_can_tell_for_how_much_every_price_is():
    assert {unit.price_key.rpartition("_")[2] for unit in REGISTRY.units.values()} <= PER.keys()


def test_show_takes_a_date_and_says_since_when():
    before, since = (
        run("show", "deepseek-v4-pro", "--provider", "deepseek", "--at", at) for at in ("2026-01-01", "2026-11-20")
    )
    assert "valid since" not in before
    assert "valid since 2026-" in since


def test_show_names_long_context_prices():
    assert "input_mtok, input above 200,000" in run("show", "gemini-2.5-pro")


def test_show_says_whose_list_it_is():
    assert "azure, at the list price of openai" in " ".join(
        run("show", "gpt-4o", "--provider", "azure.ai.openai").split()
    )


def test_show_says_what_comes_from_the_user_s_file(tmp_path: Path):
    file = tmp_path / "prices.yaml"
    file.write_text("prices: {openai/gpt-4o: {input_mtok: 1.5}}\ndiscounts: [{project: lab, percent: 20}]")
    page = run("show", "openai/gpt-4o", "--prices", str(file), "--project", "lab")
    words = " ".join(page.split())
    assert "your entry openai/gpt-4o, instead of openai/gpt-4o in genai-prices" in words
    assert "discount 20 % project lab" in words
    assert "input_mtok 1M tokens 1.5" in words


def test_show_has_the_tiers_that_only_the_user_s_file_names(tmp_path: Path):
    own = tmp_path / "prices.yaml"
    own.write_text("prices: {me/art: {image: {low 1024x1024: 0.04, high 1024x1024: 0.08}}}")
    page = run("show", "me/art", "--prices", str(own))
    assert [line.split() for line in page.splitlines() if "images" in line] == [["images_kcount", "1,000", "40", "80"]]
    assert ["USD", "for", "low", "1024x1024", "high", "1024x1024"] in [line.split() for line in page.splitlines()]


def test_show_calls_one_s_own_entry_what_one_called_it(tmp_path: Path):
    own = tmp_path / "prices.yaml"
    own.write_text("prices: {azure.ai.openai/prod-chat: {input_mtok: 1}, azure.ai.openai/gpt-4o: {input_mtok: 1}}")
    page = run("show", "azure.ai.openai/prod-chat", "--prices", str(own))
    assert page.startswith("azure.ai.openai/prod-chat, ")
    assert page.splitlines()[-1].split() == ["your", "entry", "azure.ai.openai/prod-chat"]
    page = run("show", "gpt-4o", "--provider", "azure", "--prices", str(own))
    assert "azure.ai.openai/gpt-4o, instead of openai/gpt-4o in genai-prices" in page


def test_show_names_the_nearest_names_of_an_unknown_model():
    page = run("show", "gpt-4o-minni", "--provider", "openai", ok=False)
    assert page.startswith("error: genai-prices")
    assert "hint: nearest: openai/gpt-4o-mini" in page


def test_a_faulty_prices_file_is_refused_with_its_line(tmp_path: Path):
    file = tmp_path / "prices.yaml"
    file.write_text("prices:\n  gpt-4o: {input_mtok: 1}\n")
    page = run("check", "--prices", str(file), "--url", NOBODY, ok=False)
    assert "prices.yaml:2:3: 'gpt-4o' does not name a provider" in page
    assert "hint: " in page


@pytest.mark.parametrize(("text", "model"), [(LITELLM, "whisper"), (CSV, "gemini-x"), (VELLUM, "gpt-4o")])
def test_check_compares_with_any_list(tmp_path: Path, text: str, model: str):
    file = tmp_path / "list"
    file.write_text(text)
    page = run("check", "--against", str(file), "--url", NOBODY)
    assert "models compared" in page
    assert "traffic not looked at" in page


def test_check_lists_the_largest_differences_first_and_fails_only_when_strict(tmp_path: Path):
    file = tmp_path / "page.csv"
    file.write_text(CSV.replace("$2.50", "3").replace("output_mtok,10,", "output_mtok,40,"))
    arguments = ("check", "--against", str(file), "--url", NOBODY)
    lines = [line.split() for line in run(*arguments).splitlines() if line.startswith("openai/gpt-4o")]
    assert lines == [
        ["openai/gpt-4o", "output_mtok", "10", "40", "75.0", "%"],
        ["openai/gpt-4o", "input_mtok", "2.5", "3", "16.7", "%"],
    ]
    run(*arguments, "--strict", ok=False)


def test_check_asks_the_exporter_which_calls_have_no_price(url: str):
    Served.pages = {"/api/costs/summary": SUMMARY}
    page = " ".join(run("check", "--url", url).split())
    assert "openai/gpt-4o-minni 12 calls nearest: openai/gpt-4o-mini" in page


def test_update_fetches_checks_and_keeps_the_catalogue(url: str, data: Path):
    Served.pages = {"/data.json": PUBLISHED.replace("2.5", "2.25")}
    page = run("update", "--url", f"{url}/data.json")
    assert "1 models of 1 providers, every price checked" in page
    assert "fetched 2026-" in page or "fetched 20" in page
    assert "2.25" in run("show", "gpt-4o", "--provider", "openai")
    assert catalogue_path(data).exists()


@pytest.mark.parametrize(
    "answer",
    ["[]", "{}", "<html>", PUBLISHED.replace("2.5", "-1"), PUBLISHED.replace("input_mtok", "input_stok"), None],
)
def test_a_catalogue_that_cannot_be_used_does_not_replace_the_one_before(url: str, data: Path, answer: str | None):
    Served.pages = {"/good": PUBLISHED} | ({"/bad": answer} if answer is not None else {})
    run("update", "--url", f"{url}/good")
    before = catalogue_path(data).read_bytes()
    page = run("update", "--url", f"{url}/bad", ok=False)
    assert page.startswith("error: ")
    assert "stays in use" in page
    assert catalogue_path(data).read_bytes() == before
    assert [path.name for path in catalogue_path(data).parent.iterdir()] == ["genai-prices.json"]


def test_update_without_a_network_says_which_prices_stay():
    page = run("update", "--url", f"{NOBODY}/data.json", ok=False)
    assert "no price list could be fetched" in page
    assert "hint: genai-prices 0." in page
