"""The runs of LangChain, and which of its model runs are calls that no SDK below has recorded.

A model run is a candidate. While the model works, its run lies in OpenTelemetry's context. When an SDK begins to record
a call in there, the run yields. When it ends and nobody did, it is the call itself.
"""

from collections.abc import Iterable
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakValueDictionary

from opentelemetry import context

from llmlab import semconv
from llmlab.blocks import Block
from llmlab.capture.collector import settle_safely
from llmlab.capture.faults import Guard
from llmlab.capture.runs import Attributed, Run, ShownRun
from llmlab.counts import tell_work
from llmlab.frameworks.langchain_metadata import (
    agent_of,
    attributed,
    endpoint_of,
    model_of,
    parameters_of,
    running_config,
    running_configurable,
)
from llmlab.providers import Reply, Request
from llmlab.surroundings import Tracked, here, leave, of, within

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from llmlab.capture.recording import Recorder

_SCOPE = context.create_key("llmlab.langchain.model")
_NOTHING = Reply()

_runs: "WeakValueDictionary[object, Run]" = WeakValueDictionary()
"""By their ids. A run lives as long as its run manager."""
_settling = Guard("record a call of a LangChain model")


def run_of(run_id: object) -> Run | None:
    """Return a run by its id, None when nobody noted its start."""
    return None if run_id is None else _runs.get(run_id)


def enclose(around: context.Context) -> context.Context:
    """Put the run that surrounds a call into the call's context; a model run yields to the call."""
    scope = _scope(around)
    run = scope.runs[0] if scope is not None and scope.runs else None
    if scope is not None:
        scope.take()
    inner = run_of(getattr(running_config().get("callbacks"), "parent_run_id", None))
    if inner is not None and (run is None or inner.started_ns > run.started_ns):
        run = inner
    return around if run is None else run.enclose(around)


def note_cache_hit() -> None:
    """Note that LangChain's own cache answers, so that nothing is billed."""
    if (scope := _scope(context.get_current())) is not None:
        scope.take()


def _scope(around: context.Context) -> "ModelAtWork | None":
    scope = around.get(_SCOPE)
    return scope if isinstance(scope, ModelAtWork) else None


class NamedRun(ShownRun):
    """The run of a chain, a tool or a retriever."""

    __slots__ = ("_configurable", "_kind", "_metadata", "_name")

    def __init__(self, recorder: "Recorder", kind: str, name: str, manager: Any) -> None:
        super().__init__(manager.run_id, run_of(manager.parent_run_id), recorder.spans)
        self._kind = kind
        self._name = name
        self._metadata = manager.metadata
        self._configurable = running_configurable()
        _keep(self, manager)

    def attributed(self) -> Attributed:
        """Read what the run says."""
        return attributed(self._metadata, self._configurable, self.outermost.id)

    def presented(self) -> "tuple[str, dict[str, AttributeValue]]":
        """Return the name and the attributes of the span, by the conventions where they know such runs."""
        name = self._name
        if self._kind == "tool":
            return f"execute_tool {name}", {semconv.OPERATION: "execute_tool", semconv.TOOL_NAME: name}
        agent = agent_of(self._metadata)
        outer = agent_of(self.outer._metadata) if isinstance(self.outer, NamedRun) else None  # noqa: SLF001
        if self._kind == "chain" and agent is not None and agent != outer:
            return f"invoke_agent {name}", {semconv.OPERATION: "invoke_agent", semconv.AGENT_NAME: name}
        return name, {}

    def end(self, error: BaseException | None = None) -> None:
        """End the span. A tool gets one as soon as a run around it has one: it is what an agent does between calls."""
        super().end(error)
        if self._kind == "tool" and not self.is_shown and self._is_below_a_span():
            self.show()

    def _is_below_a_span(self) -> bool:
        outer = self.outer
        while outer is not None:
            if isinstance(outer, ShownRun) and outer.is_shown:
                return True
            outer = outer.outer
        return False


class ModelRun(Run):
    """The run of a model on one prompt. It is a billed call, unless somebody else records that."""

    __slots__ = (
        "_configurable",
        "_first_chunk_ns",
        "_is_settled",
        "_metadata",
        "_operation",
        "_parameters",
        "_recorder",
        "_within",
        "is_taken",
        "shares",
        "streams",
    )

    def __init__(self, recorder: "Recorder", operation: str, manager: Any, parameters: Any) -> None:
        super().__init__(manager.run_id, run_of(manager.parent_run_id))
        self._recorder = recorder
        self._operation = operation
        self._metadata = manager.metadata
        self._configurable = running_configurable()
        self._parameters = parameters
        self._first_chunk_ns: int | None = None
        self._is_settled = False
        self.is_taken = False
        self.streams = False
        self.shares: Literal["nothing", "failures", "requests"] = "nothing"
        """What it has in common with the run of the first of several prompts."""
        scope = _scope(self.around)
        is_streamed = scope is not None and scope.streams and not scope.runs
        self._within = None if is_streamed else scope
        """The work of another model that this one is asked for."""
        if scope is not None and is_streamed:
            self.streams = True
            scope.runs.append(self)
        _keep(self, manager)

    def __del__(self) -> None:
        if not self._is_settled:
            settle_safely(partial(self.settle, _NOTHING, complete=False))

    @property
    def is_candidate(self) -> bool:
        """Whether this run may still be the call itself."""
        return not (self.is_taken or self._is_settled)

    def attributed(self) -> Attributed:
        """Read what the run says. A model that runs alone belongs to no run of anything."""
        return attributed(self._metadata, self._configurable, None if self.outer is None else self.outermost.id)

    def take(self) -> None:
        """Leave the call to somebody else."""
        self.is_taken = True
        if self._within is not None:
            self._within.take()

    def note_chunk(self) -> None:
        """Note that a piece of a stream has come."""
        if self._first_chunk_ns is None:
            self._first_chunk_ns = time_ns()

    def settle(self, reply: Reply, *, complete: bool = True, error: BaseException | None = None) -> None:
        """Record the call, unless somebody else does; from the second time on, do nothing."""
        if not self.is_candidate:
            return
        self._is_settled = True
        if self._is_in_the_first(reply, error):
            return
        with _settling:
            self.take()
            parameters = parameters_of(self._metadata, streams=self.streams)
            model = model_of(self._metadata, self._parameters)
            request = Request(self._operation, model, endpoint_of(self._metadata), {}, parameters)
            recording = self._recorder.begin_late(request, self.outside(), self.started_ns)
            if recording is not None:
                if self._first_chunk_ns is not None:
                    recording.first_chunk((self._first_chunk_ns - self.started_ns) / 1e9)
                recording.settle(reply, complete=complete, error=error)

    def _is_in_the_first(self, reply: Reply, error: BaseException | None) -> bool:
        """Say whether the run of the first prompt stands for the request that answered this one."""
        if self.shares == "nothing":
            return False
        return error is not None or (self.shares == "requests" and not tell_work(reply.counts))


class ModelAtWork(Block, Tracked):
    """The time in which a model works on the prompts of some runs. It hears of calls that are recorded meanwhile."""

    def __init__(self, runs: Iterable[ModelRun] = (), *, streams: bool = False) -> None:
        """A stream works in pieces. Without runs its run begins inside."""
        super().__init__(here().block)
        self.runs = list(runs)
        self.streams = streams
        self._before: context.Context | None = None
        self._inside: context.Context | None = None
        for run in self.runs:
            run.streams = streams

    def __enter__(self) -> None:
        before = context.get_current()
        if self._inside is None or before is not self._before:  # a stream mostly goes on where it was
            inside = within(self, of(before).tags, self, before)
            self._before, self._inside = before, context.set_value(_SCOPE, self, inside)
        context.attach(self._inside)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        leave(self)
        if not self.streams:
            self._forget()
        elif kind is None:
            for run in self.runs:
                run.note_chunk()

    def ended(self, error: BaseException | None = None) -> None:  # noqa: ARG002 - any end is the same
        """Forget the runs of a stream that is over."""
        self.runs = []
        self._forget()

    def _forget(self) -> None:
        """Drop the contexts, which hold this object: only the garbage collector would find that."""
        self._before = self._inside = None

    def note_call(self) -> None:
        """Note that somebody recorded a call."""
        self.take()
        super().note_call()

    def take(self) -> None:
        """Leave the calls to somebody else."""
        for run in self.runs:
            run.take()


def _keep(run: Run, manager: Any) -> None:
    manager.llmlab_run = run
    _runs[run.id] = run
