"""Who waits, and who is told to come back."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmlab_exporter.sql.failure import Failure
from llmlab_exporter.sql.turns import Turns
from sql.endpoint import CALLS, LIMITS, running

SLOW = "SELECT count() FROM numbers(1000000000000000)"
"""Takes as long as it may: 1.5 seconds."""


def test_places_are_given_in_order_and_given_back() -> None:
    turns = Turns(running=1, waiting=1, wait_s=30)
    order: list[str] = []

    async def ask(name: str) -> None:
        async with turns.turn():
            order.append(name)
            await asyncio.sleep(0)

    async def ask_twice() -> None:
        await asyncio.gather(ask("first"), ask("second"))

    asyncio.run(ask_twice())
    assert order == ["first", "second"]


def test_who_finds_the_line_full_or_waits_too_long_is_told_so() -> None:
    turns = Turns(running=1, waiting=1, wait_s=0.05)

    async def ask() -> None:
        async with turns.turn():
            pass

    async def crowd() -> tuple[Failure, Failure]:
        async with turns.turn():
            waiting = asyncio.create_task(ask())
            await asyncio.sleep(0)
            with pytest.raises(Failure, match="1 run and 1 wait") as full:
                await ask()
            with pytest.raises(Failure, match="no place in 0") as late:
                await waiting
        await ask()
        return full.value, late.value

    assert [failure.code for failure in asyncio.run(crowd())] == [202, 202]


def test_a_dashboard_that_asks_for_all_panels_at_once_is_answered(tmp_path: Path) -> None:
    with running(tmp_path) as endpoint, ThreadPoolExecutor(24) as panels:
        answers = list(panels.map(endpoint.post, ["SELECT count() FROM current_calls"] * 48))
    assert {(answer.status, answer.data) for answer in answers} == {(200, b"%d\n" % CALLS)}


def test_rows_are_stored_while_statements_run(tmp_path: Path) -> None:
    with running(tmp_path) as endpoint, ThreadPoolExecutor(2) as slow:
        asked = [slow.submit(endpoint.post, SLOW) for _ in range(2)]
        stored = 0
        while not all(answer.done() for answer in asked):
            endpoint.store.command("INSERT INTO {database}.llm_calls (org, input_tokens) VALUES ('new', 1)")
            stored += 1
        assert [answer.result().headers["X-ClickHouse-Exception-Code"] for answer in asked] == ["159", "159"]
    # Had each insert waited for the statements, there would be one or two.
    assert stored > 5


def test_too_many_statements_are_told_to_come_back(tmp_path: Path) -> None:
    with running(tmp_path, LIMITS, Turns(running=1, waiting=1, wait_s=30)) as endpoint, ThreadPoolExecutor(6) as many:
        answers = list(many.map(endpoint.post, [SLOW] * 6))
    codes = sorted(answer.headers["X-ClickHouse-Exception-Code"] for answer in answers)
    refused = [answer for answer in answers if answer.status == 503]
    assert codes.count("202") == len(refused) >= 1
    assert all(answer.headers["Retry-After"] == "1" for answer in refused)
