from pathlib import Path

import pytest

from calls import call
from llmlab.usage import Usage
from llmlab_exporter.call import Call
from llmlab_exporter.ledger.recent import Limits
from window.requests import Ledger

PLAIN = Usage(1873, 317)
"""What a framework knows of the usage; the SDK knows the cached part too."""


def sdk(number: int, **reading: object) -> Call:
    return call(number, **reading)._replace(scope="sdk")  # pyright: ignore[reportArgumentType]


def framework(number: int, **reading: object) -> Call:
    inner = sdk(number, usage=PLAIN, **reading)
    return inner._replace(
        trace_id=(number + 1000).to_bytes(16, "big"), span_id=(number + 1000).to_bytes(8, "big"), scope="framework"
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def billed(ledger: Ledger) -> list[int]:
    rows = ledger.outcome().store.values()
    return sorted(int.from_bytes(row["span_id"], "big") for row in rows if row["billable"])


def test_the_record_that_knows_more_takes_over_and_keeps_the_tags_of_the_other(ledger: Ledger) -> None:
    ledger.send([framework(1, user="u1")])
    assert billed(ledger) == [1001]
    ledger.send([sdk(1, run="r7")])
    assert billed(ledger) == [1]
    [row] = [row for row in ledger.outcome().store.values() if row["billable"]]
    assert (row["user_id"], row["run_id"]) == ("u1", "r7")


def test_alike_calls_of_one_source_stay_two(ledger: Ledger) -> None:
    ledger.send([sdk(1, response_id="")])
    ledger.send([sdk(2, response_id="")])
    ledger.send([framework(1, response_id=""), framework(2, response_id="")])
    assert billed(ledger) == [1, 2]


def test_two_requests_of_one_transaction_are_compared_too(ledger: Ledger) -> None:
    ledger.send([sdk(1)], [framework(1)], [framework(2)], [sdk(2)])
    assert billed(ledger) == [1, 2]


def test_a_span_sent_again_corrects_nothing(ledger: Ledger) -> None:
    ledger.send([framework(1)])
    ledger.send([sdk(1)])
    before = ledger.outcome()
    [again] = ledger.send([framework(1), sdk(1)])
    assert (again.stored, again.redelivered) == (0, 2)
    assert ledger.outcome() == before
    assert ledger.book.duplicates.corrections == 1


def test_a_record_that_comes_after_its_call_was_forgotten_is_a_call(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Limits(calls=2))
    ledger.send([sdk(1)])
    ledger.send([sdk(2)])
    ledger.send([sdk(3)])
    assert (len(ledger.window), ledger.window.forgotten_early) == (2, 1)
    ledger.send([framework(1)])
    assert billed(ledger) == [1, 2, 3, 1001]


def test_records_of_one_call_are_forgotten_together(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, Limits(calls=2))
    ledger.send([sdk(1)])
    ledger.send([framework(1)])
    ledger.send([sdk(2)])
    third = framework(1)._replace(span_id=b"thirdrec", scope="proxy")
    ledger.send([third])
    assert len(billed(ledger)) == 3
    assert ledger.outcome().duplicates == 1


def test_what_a_counter_may_not_lose_is_held_back_until_calls_make_up_for_it(ledger: Ledger) -> None:
    ledger.send([framework(1)])
    [dear] = [tally.cost_yocto for tally in ledger.book.totals.by_series.values()]
    ledger.send([sdk(1)])
    totals = ledger.book.totals
    [series] = totals.by_series
    assert totals.by_series[series].cost_yocto == dear
    cheap = dear - totals.held_back[series].cost_yocto
    assert 0 < cheap < dear
    ledger.restart()
    assert ledger.book.totals.held_back[series].cost_yocto == dear - cheap
    ledger.send([sdk(2)])
    assert ledger.book.totals.held_back == {}
    assert ledger.book.totals.by_series[series].cost_yocto == 2 * cheap
    assert ledger.book.totals.by_series[series].requests == 2


def test_another_tenant_has_no_part_in_it(ledger: Ledger) -> None:
    ledger.send([sdk(1)])
    ledger.send([framework(1)._replace(org="other")])
    assert billed(ledger) == [1, 1001]


def refuse(rows: int, _payload: bytes) -> None:
    raise ZeroDivisionError(rows)


def test_a_transaction_that_fails_leaves_no_trace(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.send([framework(1)])
    with monkeypatch.context() as broken:
        broken.setattr(ledger.book.outbox, "add", refuse)
        with pytest.raises(ZeroDivisionError):
            ledger.send([sdk(1)])
    assert billed(ledger) == [1001]
    ledger.send([sdk(1)])
    assert billed(ledger) == [1]


@pytest.mark.parametrize("response_id", ["chatcmpl-998", "resp_412", "7", "cmpl-0"])
def test_a_number_is_no_id_to_tell_responses_apart_by(ledger: Ledger, response_id: str) -> None:
    ledger.send([sdk(1, response_id=response_id), sdk(2, response_id=response_id)])
    ledger.send([sdk(3, response_id=response_id, usage=Usage(5, 5))])
    assert billed(ledger) == [1, 2, 3]


def test_records_of_a_numbered_response_are_joined_by_what_else_they_share(ledger: Ledger) -> None:
    ledger.send([sdk(1, response_id="chatcmpl-12")])
    ledger.send([framework(1, response_id="chatcmpl-12")])
    assert billed(ledger) == [1]


@pytest.mark.parametrize(
    "response_id", ["chatcmpl-1234567890", "resp_0a1", "r1", "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"]
)
def test_any_other_id_joins_records(ledger: Ledger, response_id: str) -> None:
    ledger.send([sdk(1, response_id=response_id)])
    ledger.send([framework(1, response_id=response_id)._replace(service="elsewhere")])
    assert billed(ledger) == [1]


def test_a_crowd_of_alike_calls_does_not_hide_who_is_the_same(ledger: Ledger) -> None:
    numbers = range(1, 2_501)
    by_sdk = [sdk(number) for number in numbers]
    by_framework = [
        framework(number)._replace(
            trace_id=(number + 1_000_000).to_bytes(16, "big"), span_id=(number + 1_000_000).to_bytes(8, "big")
        )
        for number in numbers
    ]
    ledger.send(*(by_sdk[at : at + 500] for at in range(0, 2_500, 500)))
    ledger.send(*(by_framework[at : at + 500] for at in range(0, 2_500, 500)))
    assert billed(ledger) == list(numbers)
    assert ledger.window.cut_short == 0
