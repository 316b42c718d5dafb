import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from dirty_equals import IsStr
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from decode.requests import as_json
from fixtures.recordings import FOLDER
from llmlab_exporter.cli.inspect import inspect

GENAI = FOLDER / "opentelemetry-instrumentation-genai-openai-1.3b0"
CHAT = GENAI / "openai_chat_stream.pb"
RETRIEVED = GENAI / "openai_responses_retrieve.pb"
UNKNOWN_USAGE = GENAI / "openai_chat_stream_nousage.pb"
TWO_LAYERS = FOLDER / "opentelemetry-instrumentation-genai-anthropic-1.3b0" / "anthropic_messages.pb"


@pytest.fixture(autouse=True)
def _no_prices_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMLAB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("LLMLAB_PRICES", raising=False)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(inspect, [str(argument) for argument in arguments])


def lines(*files: Path) -> list[dict[str, Any]]:
    result = run("--json", *files)
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


class TestJson:
    def test_a_line_says_everything_about_a_span(self) -> None:
        assert lines(CHAT) == [
            {
                "file": str(CHAT),
                "trace_id": "bd42b50298a2097a7a094a55749852b6",
                "span_id": "9eec7bdcf8d82c3e",
                "provider": "openai",
                "model": "gpt-5-mini-2025-08-07",
                "usage": {
                    "input": 1873,
                    "output": 317,
                    "cache_read": 1024,
                    "cache_write": None,
                    "reasoning": 192,
                },
                "cost_usd": "0.00087185",
                "cost_source": "computed",
                "usage_source": "reported",
                "dialect": "genai",
                "billable": True,
                "duplicate_of": None,
                "operation": "chat",
                "tier": "default",
                "error": None,
                "reason": None,
                "detail": None,
                "flaws": [],
                "rate": {
                    "catalogue": IsStr(regex=r"genai-prices \d.*"),
                    "provider": "openai",
                    "model": "gpt-5-mini",
                    "since": None,
                },
                "duplicate_reason": None,
                "service": "fixture-app",
                "project": "default",
                "request_model": "gpt-5-mini",
                "response_model": "gpt-5-mini-2025-08-07",
                "response_id": "chatcmpl-d4b3558f82814a6baa7327eb",
                "user": None,
                "session": None,
                "run": None,
                "feature": None,
                "batch": False,
                "stream": True,
                "finish_reason": "stop",
                "outcome": "ok",
                "duration_ms": 131.356,
                "first_chunk_ms": 103.081,
                "provider_cost_usd": None,
                "claimed_cost_usd": None,
            }
        ]

    def test_the_promised_names_come_first_and_in_order(self) -> None:
        [line] = lines(CHAT)
        assert list(line)[:12] == [
            "file",
            "trace_id",
            "span_id",
            "provider",
            "model",
            "usage",
            "cost_usd",
            "cost_source",
            "usage_source",
            "dialect",
            "billable",
            "duplicate_of",
        ]

    def test_other_parts_of_the_usage_are_there_when_they_are_known(self) -> None:
        [line] = lines(GENAI / "openai_chat_audio.pb")
        assert (line["usage"]["audio_in"], line["usage"]["audio_out"]) == (211, 301)

    def test_an_unknown_cost_is_null_and_never_zero(self) -> None:
        [line] = lines(UNKNOWN_USAGE)
        assert (line["cost_usd"], line["cost_source"], line["usage_source"]) == (None, "none", None)
        assert (line["billable"], line["reason"]) == (True, "no_usage")
        assert set(line["usage"].values()) == {None}

    def test_of_two_layers_the_inner_one_is_billed_and_the_outer_one_says_so(self) -> None:
        inner, outer = lines(TWO_LAYERS)
        assert (inner["dialect"], outer["dialect"]) == ("anthropic_sdk", "genai")
        assert (inner["billable"], inner["duplicate_of"], inner["cost_usd"]) == (True, None, "0.0144468")
        assert (outer["billable"], outer["duplicate_of"], outer["cost_usd"]) == (False, inner["span_id"], None)

    def test_a_span_that_is_not_billed_is_shown(self) -> None:
        billed, fetched = lines(RETRIEVED)
        assert (billed["billable"], fetched["billable"], fetched["duplicate_of"]) == (True, False, None)
        assert fetched["operation"] == "fetch_response"

    def test_each_file_is_its_own_world(self) -> None:
        first, second = lines(CHAT, CHAT)
        assert first == second
        assert first["duplicate_of"] is None

    def test_a_span_twice_in_a_file_is_billed_once(self, tmp_path: Path) -> None:
        twice = tmp_path / "twice.pb"
        twice.write_bytes(CHAT.read_bytes() * 2)  # protobuf merges what is concatenated
        first, second = lines(twice)
        assert (first["billable"], first["duplicate_of"]) == (True, None)
        assert (second["billable"], second["duplicate_of"]) == (False, first["span_id"])

    def test_otlp_json_says_the_same(self, tmp_path: Path) -> None:
        for recording in (CHAT, TWO_LAYERS, RETRIEVED):
            file = tmp_path / f"{recording.stem}.json"
            file.write_bytes(as_json(ExportTraceServiceRequest.FromString(recording.read_bytes())))
            assert [{**line, "file": ""} for line in lines(file)] == [{**line, "file": ""} for line in lines(recording)]

    def test_a_span_that_would_be_refused_is_told_on_standard_error(self, tmp_path: Path) -> None:
        request = ExportTraceServiceRequest.FromString(CHAT.read_bytes())
        request.resource_spans[0].scope_spans[0].spans[0].trace_id = b"short"
        file = tmp_path / "refused.pb"
        file.write_bytes(request.SerializeToString())
        result = run("--json", file)
        assert (result.exit_code, result.stdout) == (0, "")
        said = "span 9eec7bdcf8d82c3e of trace 73686f7274 has a trace id of 5 bytes; it must have 16"
        assert result.stderr == f"warning: {file}: 1 refused: {said}\n"


class TestTable:
    def test_shows_names_counts_and_cost(self) -> None:
        page = run(CHAT).stdout
        for piece in (str(CHAT), "9eec7bdc", "gpt-5-mini-2025-08-07", "1,873", "1,024", "317", "$0.000872"):
            assert piece in page
        assert "1 billed: $0.000872, 0 duplicates, 0 other spans" in page

    def test_marks_what_has_no_price(self) -> None:
        page = run(UNKNOWN_USAGE).stdout
        assert "1 billed: unpriced" in page
        assert "$" not in page

    def test_names_duplicates_and_what_is_not_billed(self) -> None:
        page = run(TWO_LAYERS, RETRIEVED).stdout
        assert "same call as " in page
        assert "1 billed: $0.0144, 1 duplicates" in page
        assert "fetch_response: not billed" in page

    def test_of_a_request_without_llm_calls_says_so(self, tmp_path: Path) -> None:
        empty = tmp_path / "empty.pb"
        empty.write_bytes(b"")
        assert "0 billed: $0.00, 0 duplicates, 0 other spans" in run(empty).stdout


class TestOwnPrices:
    OWN = "prices: {openai/gpt-5-mini: {input_mtok: 1, output_mtok: 2}}\ndiscounts: [{provider: openai, percent: 50}]"

    def test_are_those_that_an_exporter_with_this_file_charges(self, tmp_path: Path) -> None:
        own = tmp_path / "prices.yaml"
        own.write_text(self.OWN)
        line = json.loads(run("--prices", own, "--json", CHAT).stdout)
        assert line["cost_usd"] == "0.0012535"  # (1,873 + 2 x 317) / 2 millionths
        assert line["rate"]["catalogue"].startswith("prices.yaml ")

    def test_come_from_the_environment_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        own = tmp_path / "prices.yaml"
        own.write_text(self.OWN)
        monkeypatch.setenv("LLMLAB_PRICES", str(own))
        assert json.loads(run("--json", CHAT).stdout)["cost_usd"] == "0.0012535"

    def test_that_cannot_be_used_are_refused_with_their_line(self, tmp_path: Path) -> None:
        own = tmp_path / "prices.yaml"
        own.write_text("prices:\n  openai/gpt-5-mini: {input_mtoks: 1}\n")
        result = run("--prices", own, CHAT)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "prices.yaml:2:23: unknown price 'input_mtoks'" in result.stderr


class TestBadFiles:
    @pytest.mark.parametrize("options", [(), ("--json",)])
    def test_do_not_keep_the_others_from_being_shown(self, tmp_path: Path, options: tuple[str, ...]) -> None:
        damaged = tmp_path / "damaged.pb"
        damaged.write_bytes(CHAT.read_bytes()[:-3])
        result = run(*options, tmp_path / "missing.pb", damaged, tmp_path, CHAT)
        assert result.exit_code == 1
        assert "9eec7bdc" in result.stdout
        messages = result.stderr.splitlines()
        assert [line.split(":")[0] for line in messages] == ["error", "hint"] * 3
        assert messages[0] == f"error: {tmp_path / 'missing.pb'} cannot be read: No such file or directory"
        assert messages[2].startswith(f"error: {damaged} is no OTLP trace export request: byte ")
        assert "a directory" in messages[4]

    def test_in_json_are_named_too(self, tmp_path: Path) -> None:
        file = tmp_path / "bad.json"
        file.write_text("{")
        result = run(file)
        assert result.exit_code == 1
        assert "the body is not JSON" in result.stderr


@pytest.mark.e2e
def test_the_command_is_installed() -> None:
    command = Path(sys.executable).with_name("llmlab")
    ended = subprocess.run([command, "inspect", "--json", str(CHAT)], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["cost_usd"] == "0.00087185"
