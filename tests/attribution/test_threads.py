"""Threads, executors and processes: who keeps the attribution, and who must not."""

import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from subprocess import run

import pytest
from opentelemetry import baggage, context

import llmlab
from attribution.conftest import Ask
from llmlab.attribution import current_tags
from llmlab.threads import ThreadInstallation

Read = Callable[[], list[dict[str, object]]]
SEARCH = {"llmlab.feature": "search"}


def tags_here(*_: object) -> dict[str, str]:
    return dict(current_tags())


class TestInstrumented:
    """Where LLMLab instruments the application, nothing needs to be done."""

    @pytest.fixture(autouse=True)
    def installation(self) -> Iterator[ThreadInstallation]:
        installation = ThreadInstallation()
        yield installation
        installation.remove()

    def test_what_is_submitted_keeps_its_attribution(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            with llmlab.attribute(feature="search"):
                search = executor.submit(tags_here)
                mapped = executor.map(tags_here, range(3))
            with llmlab.attribute(feature="other"):
                other = executor.submit(tags_here)
            outside = executor.submit(tags_here)
            assert search.result() == SEARCH
            assert list(mapped) == [SEARCH] * 3
            assert other.result() == {"llmlab.feature": "other"}
            assert outside.result() == {}

    def test_a_worker_thread_does_not_keep_the_attribution_of_its_first_task(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            token = context.attach(baggage.set_baggage("llmlab.user", "u1"))
            with llmlab.attribute(feature="search"):
                assert executor.submit(tags_here).result() == {"llmlab.user": "u1", **SEARCH}
            context.detach(token)
            assert executor.submit(tags_here).result() == {}

    def test_baggage_is_kept_too(self) -> None:
        token = context.attach(baggage.set_baggage("llmlab.user", "u1"))
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(tags_here).result() == {"llmlab.user": "u1"}
        context.detach(token)

    def test_a_thread_keeps_what_held_where_it_was_started(self) -> None:
        seen: list[dict[str, str]] = []
        thread = threading.Thread(target=lambda: seen.append(tags_here()))
        with llmlab.attribute(feature="search"):
            thread.start()
        thread.join()
        assert seen == [SEARCH]

    def test_a_class_with_a_run_method_keeps_it_too(self) -> None:
        class Worker(threading.Thread):
            def run(self) -> None:
                self.seen = tags_here()

        worker = Worker()
        with llmlab.attribute(feature="search"):
            worker.start()
        worker.join()
        assert worker.seen == SEARCH
        assert "run" not in vars(worker)

    def test_a_timer_keeps_it_too(self) -> None:
        seen: list[dict[str, str]] = []
        with llmlab.attribute(feature="search"):
            timer = threading.Timer(0, lambda: seen.append(tags_here()))
            timer.start()
        timer.join()
        assert seen == [SEARCH]

    def test_errors_and_results_are_those_of_the_function(self) -> None:
        with ThreadPoolExecutor(1) as executor, llmlab.attribute(feature="search"):
            assert executor.submit(pow, 2, 10).result() == 1024
            assert executor.submit(int, "ff", base=16).result() == 255
            with pytest.raises(ZeroDivisionError):
                executor.submit(lambda: 1 / 0).result()
            with pytest.raises(TypeError, match="submit"):
                executor.submit()  # pyright: ignore[reportCallIssue]

    def test_removing_it_puts_the_originals_back(self, installation: ThreadInstallation) -> None:
        installation.remove()
        for function in (threading.Thread.start, ThreadPoolExecutor.submit):
            assert type(function) is type(tags_here)
        with ThreadPoolExecutor(1) as executor, llmlab.attribute(feature="search"):
            assert executor.submit(tags_here).result() == {}


def test_calls_in_an_executor_are_attributed(ask: Ask, attributed: Read) -> None:
    with ThreadPoolExecutor(4) as executor, llmlab.attribute(feature="search", user="u1"):
        for done in [executor.submit(ask) for _ in range(8)]:
            done.result()
    assert attributed() == [{"feature": "search", "user": "u1"}] * 8


def test_threads_can_be_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "llmlab-threads")
    code = (
        "import threading; from llmlab.instrumentor import LLMLabInstrumentor; before = threading.Thread.start;"
        "LLMLabInstrumentor().instrument(); assert threading.Thread.start is before"
    )
    ended = run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr


def test_whatever_carries_opentelemetrys_context_carries_the_attribution() -> None:
    with llmlab.attribute(feature="search"):
        carried = context.get_current()

    def work() -> dict[str, str]:
        token = context.attach(carried)
        try:
            return tags_here()
        finally:
            context.detach(token)

    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(work).result() == SEARCH


class TestCarry:
    """Where nobody instruments threads, and for other processes."""

    def test_without_it_an_executor_knows_nothing(self) -> None:
        with ThreadPoolExecutor(1) as executor, llmlab.attribute(feature="search"):
            assert executor.submit(tags_here).result() == {}

    def test_a_carried_function_is_attributed_as_where_it_was_carried(self) -> None:
        with llmlab.attribute(feature="search"):
            carried = llmlab.carry(tags_here)
        with ThreadPoolExecutor(1) as executor, llmlab.attribute(feature="other"):
            assert executor.submit(carried).result() == SEARCH
            assert executor.submit(tags_here).result() == {}
        assert carried() == SEARCH

    def test_carried_twice_it_is_attributed_as_where_it_was_carried_first(self) -> None:
        with llmlab.attribute(feature="search"):
            carried = llmlab.carry(tags_here)
        with llmlab.attribute(feature="other"):
            assert llmlab.carry(carried)() == SEARCH

    def test_it_keeps_name_and_documentation(self) -> None:
        assert llmlab.carry(tags_here).__name__ == "tags_here"

    def test_it_can_be_pickled(self) -> None:
        with llmlab.attribute(feature="search"):
            carried = llmlab.carry(tags_here)
        assert pickle.loads(pickle.dumps(carried))() == SEARCH  # noqa: S301 - pickled in the line itself

    def test_it_works_in_other_processes(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as executor, llmlab.attribute(feature="search"):
            assert executor.submit(llmlab.carry(current_tags)).result() == SEARCH
