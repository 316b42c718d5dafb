"""Every command of the README is run as it is written there, and what it shows is true."""

import os
import re
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest

from cli.prepared import LLMLAB, PreparedServer
from environments import ROOT
from readme.shell import Shell, blocks

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

README = (ROOT / "README.md").read_text()
COMMANDS = [block.text for block in blocks(README) if block.language in {"bash", "console"}]
DEMO, CHECK, START, RUN, LOOK, BUDGET = COMMANDS
"""What a reader types, in order; a block more or less makes the tests fail until they know it."""

DEFAULT_PORTS = (4317, 4318)


def test_the_demo_shows_the_spend_and_stays_until_ctrl_c(checkout: Shell) -> None:
    assert DEMO == "make demo\n"
    with checkout.background(DEMO, lambda printed: "Ctrl-C ends the demo" in printed) as demo:
        shown = demo.printed()
        [address] = re.findall(r"(http://\S+)/metrics", shown)
        with urllib.request.urlopen(f"{address}/metrics") as metrics:
            assert b"llm_cost_usd_total" in metrics.read()
    assert "They agree to the last digit" in shown
    assert "unknown-model-xyz" in shown
    assert "Stopped." in demo.printed()
    assert not _answers(int(address.rpartition(":")[2])), "the exporter outlived the demo"


def test_the_demo_ends_by_itself_when_asked(checkout: Shell) -> None:
    assert "`make demo ARGS=--once`" in README
    shown = checkout.run("make demo ARGS=--once")
    [total] = re.findall(r"The exporter's total: +\$([0-9.]+)", shown)
    assert float(total) > 0


def test_the_test_command_is_what_ci_runs_and_what_runs_this_test(checkout: Shell) -> None:
    """Running it here would run this test again, without end.

    Under `make all` the command is being run as this test runs, so its outcome is the proof. Otherwise make is asked
    what it would do.
    """
    assert CHECK == "make all\n"
    assert CHECK.strip() in (ROOT / ".ci/run").read_text().splitlines()[-1]
    if "all" not in os.environ.get("LLMLAB_MAKE_GOALS", "").split():
        planned = checkout.run("make --dry-run all")
        for program in ("pyright", "ruff check", "lint-imports", "pytest"):
            assert program in planned


@pytest.fixture
def default_ports() -> None:
    """The README's commands use the ports of OpenTelemetry."""
    if any(_answers(port) for port in DEFAULT_PORTS):
        pytest.skip(f"another program of this machine uses one of the ports {DEFAULT_PORTS}")


@pytest.mark.usefixtures("default_ports")
def test_a_user_installs_it_runs_an_application_and_sees_the_spend(shell: Shell) -> None:
    assert START.splitlines() == ["pip install 'llmlab[server]'", "llmlab up"]
    [app] = [block.text for block in blocks(README) if block.language == "python"]
    (shell.directory / "app.py").write_text(app)
    with shell.background(START, lambda _: _answers(4318)) as exporter:
        assert "opentelemetry-instrument python app.py" in exporter.printed()
        assert shell.run(RUN) == ""
        shown = shell.run(LOOK)
        budget = shell.run(BUDGET)
    assert "gpt-4o-mini-2024-07-18" in shown
    assert re.search(r"today +\$0\.0000\d+  1 call$", shown, re.MULTILINE)
    assert budget.startswith("budget monthly set: $1,000.00 a month, all calls")
    assert re.search(r"^monthly +░+ +<1% +\$0\.0000\d+ +\$1,000\.00 ", budget, re.MULTILINE)
    assert not _answers(4318)


def test_the_picture_of_status_is_what_status_prints() -> None:
    [picture] = [block.text for block in blocks(README) if block.language == "text"]
    with PreparedServer() as server:
        server.body = (ROOT / "tests/cli/answers/readme.json").read_bytes()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        shown = subprocess.run(
            [LLMLAB, "status", "--url", server.url],
            env={"COLUMNS": "80", "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        server.shutdown()
        thread.join()
    assert shown.replace(server.url, "http://127.0.0.1:4318") == picture


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_link_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", (ROOT / page).read_text())
    assert links
    assert [link for link in links if not (ROOT / Path(page).parent / link).exists()] == []


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
