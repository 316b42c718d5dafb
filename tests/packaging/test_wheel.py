"""The wheel, installed without extras into a clean environment: what an application gets."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from environments import Environment, build_wheel, locked_versions

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ALLOWED = {
    "opentelemetry-api",
    "opentelemetry-instrumentation",
    "opentelemetry-semantic-conventions",
    "packaging",
    "typing-extensions",
    "wrapt",
}
"""All that LLMLab brings into an application. One more needs a good reason."""

NEEDS = {
    "llmlab.cli.api": "click",
    "llmlab.cli.budget": "click",
    "llmlab.cli.budget_report": "rich",
    "llmlab.cli.dead_letters": "click",
    "llmlab.cli.errors": "click",
    "llmlab.cli.group": "click",
    "llmlab.cli.status": "click",
    "llmlab.cli.exporter_client": "urllib3",
    "llmlab.cli.prune": "click",
    "llmlab.cli.reprice": "click",
    "llmlab.cli.reprice_client": "urllib3",
    "llmlab.cli.reprice_report": "rich",
    "llmlab.cli.spend_report": "rich",
    "llmlab.pricing.book": "genai_prices",
    "llmlab.pricing.catalogue": "genai_prices",
    "llmlab.pricing.pricer": "genai_prices",
    "llmlab.tracking.pipelines": "opentelemetry.exporter",
    "llmlab.tracking.watching": "opentelemetry.sdk",
}
"""Modules that need an extra, by their beginning, and the package they need first. Applications do without them."""

TRY_IMPORTS = """
import importlib, json, sys
missing = {}
for name in json.load(sys.stdin):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing[name] = error.name
print(json.dumps(missing))
"""


@dataclass(frozen=True)
class Built:
    """The wheel, and what to install it with."""

    wheel: Path
    constraints: Path

    def install(self, directory: Path, extra: str = "") -> Environment:
        environment = Environment(directory)
        environment.install(f"llmlab{extra} @ {self.wheel.as_uri()}", constraints=self.constraints)
        return environment

    def names(self) -> list[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.namelist()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    directory = tmp_path_factory.mktemp("wheel")
    return Built(build_wheel(directory), locked_versions(directory / "constraints.txt"))


@pytest.fixture(scope="module")
def bare(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return built.install(tmp_path_factory.mktemp("bare"))


def test_an_application_gets_six_packages_at_most(bare: Environment) -> None:
    assert bare.packages() - {"llmlab"} <= ALLOWED


def test_every_module_imports_without_extras_except_those_declared(built: Built, bare: Environment) -> None:
    modules = sorted(_module(name) for name in built.names() if name.startswith("llmlab/") and name.endswith(".py"))
    missing: dict[str, Any] = json.loads(bare.run("python", "-c", TRY_IMPORTS, given=json.dumps(modules)).stdout)
    expected = {name: _need(name) for name in modules if _need(name)}
    assert len(modules) > 20
    assert missing == expected


def _module(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _need(module: str) -> str | None:
    return next((need for start, need in NEEDS.items() if f"{module}.".startswith(f"{start}.")), None)


def test_the_command_without_its_extra_says_how_to_get_it(bare: Environment) -> None:
    shown = bare.run("llmlab", "status")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr == (
        "error: the command line needs click, which the plain install leaves out\n"
        "hint: pip install 'llmlab[cli]', or 'llmlab[server]' to run the exporter as well\n"
    )


def test_the_command_line_alone_says_how_to_get_the_exporter(built: Built, tmp_path: Path) -> None:
    environment = built.install(tmp_path / "cli", "[cli]")
    shown = environment.run("llmlab", "up")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "error: 'llmlab up' needs the server part" in shown.stderr
    assert "hint: pip install 'llmlab[server]'" in shown.stderr
    assert "no exporter answers" in environment.run("llmlab", "status", "--url", "http://127.0.0.1:1").stderr
    assert "status" in environment.run("llmlab", "--help").stdout


def test_the_wheel_carries_types_and_licence_and_nothing_else(built: Built) -> None:
    names = built.names()
    assert {"llmlab/py.typed", "llmlab_exporter/py.typed"} <= set(names)
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)
    tops = {name.partition("/")[0].partition("-")[0] for name in names}
    assert tops == {"llmlab", "llmlab_exporter"}
