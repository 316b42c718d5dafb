import json
import os
import pty
import socket
import subprocess
from decimal import Decimal

import pytest
from inline_snapshot import snapshot

from cli.prepared import ANSWERS, LLMLAB, Exporter


def test_at_80_columns_every_number_is_whole(exporter: Exporter) -> None:
    exporter.answers("busy")
    shown = exporter.run("status", COLUMNS="80")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.replace(exporter.server.url, "URL") == snapshot("""\
LLMLab URL, 2026-11-21 02:00:00 UTC

today        $0.000183  3 calls, 1 of them unpriced
this month   $1,204.50  210,443 calls, 9 of them unpriced
all time    $48,211.94  8,123,456 calls, 9 of them unpriced

By provider and model, last 30 days

                                calls  input  output            spend  share
openai                        300,002  1.75B   22.1M        $1,700.07    93%
  gpt-4o-2024-08-06           200,000   512M     22M        $1,500.07    82%
  gpt-4o-mini-2024-07-18      100,001  1.23B  99,999          $200.00    11%
  text-embedding-3-small            1      1       0  $0.000000000001    <1%
anthropic                      10,441    31M    2.4M          $130.00     7%
  claude-sonnet-4-5-20250929   10,441    31M    2.4M          $130.00     7%
self-hosted                         9  4,096     512         unpriced      -
  unknown-model-xyz                 9  4,096     512         unpriced      -

9 calls have no known price and count in no sum: unknown-model-xyz (9)

exporter: all calls are stored
""")


def test_at_120_columns_bars_show_the_shares(exporter: Exporter) -> None:
    exporter.answers("busy")
    shown = exporter.run("status", COLUMNS="120").stdout
    assert shown.replace(exporter.server.url, "URL") == snapshot("""\
LLMLab URL, 2026-11-21 02:00:00 UTC

today        $0.000183  3 calls, 1 of them unpriced
this month   $1,204.50  210,443 calls, 9 of them unpriced
all time    $48,211.94  8,123,456 calls, 9 of them unpriced

By provider and model, last 30 days

                                calls  input  output            spend                            share
openai                        300,002  1.75B   22.1M        $1,700.07  ██████████████████████      93%
  gpt-4o-2024-08-06           200,000   512M     22M        $1,500.07  ███████████████████         82%
  gpt-4o-mini-2024-07-18      100,001  1.23B  99,999          $200.00  ██                          11%
  text-embedding-3-small            1      1       0  $0.000000000001                              <1%
anthropic                      10,441    31M    2.4M          $130.00  █                            7%
  claude-sonnet-4-5-20250929   10,441    31M    2.4M          $130.00  █                            7%
self-hosted                         9  4,096     512         unpriced                                -
  unknown-model-xyz                 9  4,096     512         unpriced                                -

9 calls have no known price and count in no sum: unknown-model-xyz (9)

exporter: all calls are stored
""")


def test_in_a_pipe_names_are_not_broken_and_nothing_is_coloured(exporter: Exporter) -> None:
    exporter.answers("busy")
    shown = exporter.run("status").stdout
    assert "  claude-sonnet-4-5-20250929   10,441" in shown
    assert "\x1b" not in shown


def test_where_there_is_no_unicode_bars_are_plain(exporter: Exporter) -> None:
    exporter.answers("busy")
    shown = exporter.run("status", COLUMNS="120", PYTHONIOENCODING="ascii").stdout
    assert "  ######################  " in shown


def test_a_fresh_exporter_shows_zeros_and_its_own_state(exporter: Exporter) -> None:
    exporter.answers("empty")
    shown = exporter.run("status", "--days", "7", "--tz", "Europe/Berlin")
    assert exporter.server.asked == ["/api/costs/summary?days=7&tz=Europe%2FBerlin"]
    assert shown.stdout.replace(exporter.server.url, "URL") == snapshot("""\
LLMLab URL, 2026-11-21 02:00:00 UTC, days of Europe/Berlin

today       $0.00  0 calls
this month  $0.00  0 calls
all time    $0.00  0 calls

No calls last 7 days.

exporter: 1,200 calls wait to be stored; 3 spans were refused
""")


def test_a_period_in_which_nothing_has_a_price_is_unpriced_and_not_free(exporter: Exporter) -> None:
    period = {"spend": None, "requests": 2, "unpriced_requests": 2}
    exporter.answers(
        "empty",
        periods={"today": period, "month": period, "all_time": period},
        window={"days": 30, "to": "2026-11-21"} | period,
        by_provider={"": None, "openai": None},
        models=[
            {"provider": "", "model": "", "input_tokens": 3, "output_tokens": 4, **period},
        ],
        unpriced={"requests": 2, "models": [{"provider": "", "model": "", "requests": 2}]},
    )
    shown = exporter.run("status").stdout
    assert "$" not in shown
    assert shown.count("unpriced") >= 5
    assert "2 calls have no known price and count in no sum: unknown (2)" in shown


@pytest.mark.parametrize(
    ("percentage", "alert", "line"),
    [
        (12.5, False, "budget      $912.50 / $1,000.00 (12%)  ██░░░░░░░░░░░░░░░░░░\n"),
        (91.25, True, "budget      $912.50 / $1,000.00 (91%)  ██████████████████░░  near the limit\n"),
        (99.99, True, "budget      $912.50 / $1,000.00 (99%)  ███████████████████░  near the limit\n"),
        (100, True, "budget      $912.50 / $1,000.00 (100%)  ████████████████████  limit reached\n"),
        (0.004, False, "budget      $912.50 / $1,000.00 (<1%)  ░░░░░░░░░░░░░░░░░░░░\n"),
    ],
)
def test_a_budget_is_shown_once_there_is_one(exporter: Exporter, percentage: float, alert: bool, line: str) -> None:
    exporter.answers("empty", budget_status={"budget": 1000, "spent": 912.5, "percentage": percentage, "alert": alert})
    assert line in exporter.run("status").stdout


def test_json_is_the_exporters_answer_digit_for_digit(exporter: Exporter) -> None:
    exporter.answers("busy")
    shown = exporter.run("status", "--json").stdout
    assert shown == (ANSWERS / "busy.json").read_text()
    assert json.loads(shown, parse_float=Decimal)["total_spend"] == Decimal("48211.937412650000000007")


def test_the_option_wins_over_the_environment_and_needs_no_scheme(exporter: Exporter) -> None:
    exporter.answers("empty")
    address = exporter.server.url.removeprefix("http://")
    shown = exporter.run("status", "--url", f"{address}/", LLMLAB_URL="http://127.0.0.1:1")
    assert (shown.returncode, shown.stderr) == (0, "")


def run_in_terminal(exporter: Exporter, **environment: str) -> str:
    """Run `llmlab status` with a terminal as its standard output."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as output:
        subprocess.run(
            [LLMLAB, "status"],
            env=exporter.environment | {"TERM": "xterm-256color"} | environment,
            stdout=theirs,
            check=True,
            timeout=30,
        )
        os.close(theirs)
        return output.read(1 << 16).decode()


def test_a_terminal_gets_colour(exporter: Exporter) -> None:
    exporter.answers("busy")
    assert "\x1b[33m" in run_in_terminal(exporter, COLUMNS="120")


def test_no_color_is_honoured(exporter: Exporter) -> None:
    exporter.answers("busy")
    assert "\x1b[3" not in run_in_terminal(exporter, COLUMNS="120", NO_COLOR="1")


def test_no_exporter_is_said_with_a_remedy(exporter: Exporter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    shown = exporter.run("status", "--url", f"http://127.0.0.1:{port}")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr == (
        f"error: no exporter answers at http://127.0.0.1:{port}\n"
        "hint: start one with 'llmlab up', or point at yours with --url or LLMLAB_URL\n"
    )


@pytest.mark.parametrize(
    ("status", "body", "error", "hint"),
    [
        (503, b"busy", "the exporter at URL is not ready (503)", "see URL/readyz for the reason"),
        (
            404,
            b"<html>not here</html>",
            "URL answers, but not like an LLMLab exporter (no JSON, status 404)",
            "check --url or LLMLAB_URL, and that the exporter is of this version",
        ),
        (
            200,
            b'{"total": 1}',
            "URL answers, but not like an LLMLab exporter (unknown JSON, status 200)",
            "check --url or LLMLAB_URL, and that the exporter is of this version",
        ),
        (
            200,
            b'{"periods": ',
            "URL answers, but not like an LLMLab exporter (no JSON, status 200)",
            "check --url or LLMLAB_URL, and that the exporter is of this version",
        ),
        (
            400,
            b'{"error": "tz=\'Mars\' is not an IANA time zone", "hint": "ask like this"}',
            "the exporter at URL answers: tz='Mars' is not an IANA time zone",
            "ask like this",
        ),
    ],
)
def test_a_wrong_answer_is_no_traceback(exporter: Exporter, status: int, body: bytes, error: str, hint: str) -> None:
    exporter.server.status, exporter.server.body = status, body
    shown = exporter.run("status")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert shown.stderr.replace(exporter.server.url, "URL") == f"error: {error}\nhint: {hint}\n"


def test_what_is_no_url_is_said(exporter: Exporter) -> None:
    shown = exporter.run("status", "--url", "ftp://somewhere")
    assert shown.returncode == 1
    assert shown.stderr.startswith("error: ftp://somewhere is not a URL")


def test_sums_of_one_exporter_are_not_taken_for_those_of_all(exporter: Exporter) -> None:
    budget = {
        "name": "monthly",
        "period": "month",
        "time_zone": "UTC",
        "scope": {},
        "thresholds": [50, 80, 100],
        "limit": 10,
        "spent": 2.5,
        "percentage": 25.0,
        "left": 7.5,
        "alert": False,
        "reached": [],
        "since": None,
        "unpriced_requests": 0,
        "unattributed_requests": 0,
        "is_lower_bound": False,
        "days_left": 9.4,
        "forecast": None,
    }
    alone = {"budget_status": {"budget": 10, "spent": 2.5, "percentage": 25.0, "alert": False}}
    said = "budgets count the calls of all"
    exporter.answers("busy", budgets=[budget | {"shared": None}], **alone)
    assert said not in exporter.run("status").stdout
    exporter.answers("busy", budgets=[budget | {"shared": {"doubts": [], "oldest_part_s": 0.4}}], **alone)
    assert said in exporter.run("status").stdout
