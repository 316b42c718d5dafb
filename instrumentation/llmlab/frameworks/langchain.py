"""The runs of LangChain, and which of its model runs are calls that no SDK below has recorded.

A model run is a candidate. While the model works, its run lies in OpenTelemetry's context. When an SDK begins to record
a call in there, the run yields and becomes that call's parent. When it ends and nobody did, it is the call itself.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID
from weakref import WeakValueDictionary

from opentelemetry import context

from llmlab import semconv
from llmlab.attribution import BAGGAGE_PREFIX
from llmlab.blocks import Block
from llmlab.capture.collector import settle_safely
from llmlab.capture.faults import Guard
from llmlab.capture.runs import Attributed, Run
from llmlab.hosts import Endpoint
from llmlab.providers import Reply, Request
from llmlab.surroundings import Tracked, enter, here, leave
from llmlab.tags import tags_of

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from llmlab.capture.recording import Recorder

PROVIDERS = {
    "amazon_bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "ibm": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "xai": "x_ai",
}
"""Values of `ls_provider`, and the conventions' names. Where they agree, and for unknown ones, the value stays."""

_SESSION_NAMES = ("thread_id", "session_id", "conversation_id")
"""Metadata by which LangSmith groups runs: docs.langchain.com/langsmith/threads, read 2026-11-21."""
_PARAMETERS = {"ls_temperature": semconv.REQUEST_TEMPERATURE, "ls_max_tokens": semconv.REQUEST_MAX_TOKENS}
_AGENT = "langchain_create_agent"
_SCOPE = context.create_key("llmlab.langchain.model")
_NOTHING = Reply()

_runs: "WeakValueDictionary[UUID, Run]" = WeakValueDictionary()
_settling = Guard("record a call of a LangChain model")


def run_of(run_id: UUID | None) -> Run | None:
    """Return a run by its id, None when nobody noted its start."""
    return None if run_id is None else _runs.get(run_id)


def begin_run(recorder: "Recorder", kind: str, name: str, manager: Any) -> None:
    """Note that a chain, a tool or a retriever begins. The run lives as long as its run manager."""
    metadata: Mapping[str, Any] = manager.metadata
    outer = run_of(manager.parent_run_id)
    span_name, attributes = _presented(kind, name, metadata, outer)
    run = _NamedRun(recorder.tracer, str(manager.run_id), span_name, outer, attributes, _reader(metadata))
    run.agent = _agent(metadata)
    _keep(run, manager)


def begin_model_run(recorder: "Recorder", name: str, manager: Any, operation: str, parameters: Any) -> None:
    """Note that a model begins to work on one prompt."""
    outer = run_of(manager.parent_run_id)
    run = ModelRun(recorder.tracer, str(manager.run_id), name, outer, {}, _reader(manager.metadata))
    run.recorder, run.operation, run.metadata, run.parameters = recorder, operation, manager.metadata, parameters
    _keep(run, manager)
    scope = _scope()
    if scope is not None and scope.streams and not scope.runs:
        scope.runs.append(run)
        run.streams = True
    elif scope is not None:
        run.within = scope


def enclose(around: context.Context) -> context.Context:
    """Put the run that surrounds a call into the call's context; a model run yields to the call."""
    scope = _scope(around)
    run = scope.runs[0] if scope is not None and scope.runs else None
    if scope is not None:
        scope.take()
    inner = run_of(getattr(_config().get("callbacks"), "parent_run_id", None))
    if inner is not None and (run is None or inner.started_ns > run.started_ns):
        run = inner
    return around if run is None else run.enclose(around)


def note_cache_hit() -> None:
    """Note that LangChain's own cache answers, so that nothing is billed."""
    if (scope := _scope()) is not None:
        scope.take()


class _NamedRun(Run):
    """The run of a chain, a tool or a retriever."""

    agent: str | None = None
    """Of what agent it is a part."""


class ModelRun(Run):
    """The run of a model. It is a billed call, unless an SDK records that."""

    recorder: "Recorder"
    operation: str
    metadata: Mapping[str, Any]
    parameters: Any
    streams = False
    is_taken = False
    within: "ModelAtWork | None" = None
    """The model that this one works for."""
    _is_settled = False

    def __del__(self) -> None:
        if not self._is_settled:
            settle_safely(partial(self.settle, _NOTHING, complete=False))

    @property
    def is_candidate(self) -> bool:
        """Whether this run may still be the call itself."""
        return not (self.is_taken or self._is_settled)

    def take(self) -> None:
        """Leave the call to somebody else."""
        self.is_taken = True
        if self.within is not None:
            self.within.take()

    def settle(self, reply: Reply, *, complete: bool = True, error: BaseException | None = None) -> None:
        """Note how the run ended; from the second time on, do nothing."""
        if self._is_settled:
            return
        self._is_settled = True
        with _settling:
            if self.is_taken:
                self.end(error)
                return
            self.take()
            recording = self.recorder.begin_late(self._request(), self.outside(), self.started_ns)
            if recording is not None:
                recording.settle(reply, complete=complete, error=error)

    def _request(self) -> Request:
        attributes: dict[str, AttributeValue] = {
            name: self.metadata[said] for said, name in _PARAMETERS.items() if self.metadata.get(said) is not None
        }
        if self.streams:
            attributes[semconv.REQUEST_STREAM] = True
        said = str(self.metadata.get("ls_provider") or "")
        endpoint = Endpoint(PROVIDERS.get(said, said) or "unknown")
        return Request(self.operation, self._model(), endpoint, {}, attributes)

    def _model(self) -> str | None:
        parameters = self.parameters if isinstance(self.parameters, dict) else {}
        names = (self.metadata.get("ls_model_name"), parameters.get("model"), parameters.get("model_name"))
        return next((name for name in names if isinstance(name, str) and name), None)


class ModelAtWork(Block):
    """The time in which a model works on the prompts of some runs. A stream works in pieces."""

    def __init__(self, runs: Sequence[Run | None] = (), *, streams: bool = False) -> None:
        """Without runs it is a stream, whose run begins inside."""
        self.runs = [run for run in runs if isinstance(run, ModelRun)]
        self.streams = streams
        self._calls = _Calls(self, here().block)
        for run in self.runs:
            run.streams = streams

    def __enter__(self) -> None:
        enter(self, here().tags, self._calls, context.set_value(_SCOPE, self))

    def __exit__(self, *_: object) -> None:
        leave(self)

    def take(self) -> None:
        """Leave the calls to somebody else."""
        for run in self.runs:
            run.take()


class _Calls(Tracked):
    """Hears of calls that are recorded while a model works, in threads of its own too."""

    def __init__(self, work: ModelAtWork, outer: Tracked | None) -> None:
        super().__init__(outer)
        self._work = work

    def note_call(self) -> None:
        self._work.take()
        super().note_call()


def _keep(run: Run, manager: Any) -> None:
    manager.llmlab_run = run
    _runs[manager.run_id] = run


def _scope(around: context.Context | None = None) -> ModelAtWork | None:
    scope = (context.get_current() if around is None else around).get(_SCOPE)
    return scope if isinstance(scope, ModelAtWork) else None


def _config() -> Mapping[str, Any]:
    """Return the configuration of the runnable that runs here, which LangChain keeps in a variable of its own."""
    module: Any = sys.modules.get("langchain_core.runnables.config")
    return {} if module is None else module.var_child_runnable_config.get() or {}


def _presented(
    kind: str, name: str, metadata: Mapping[str, Any], outer: Run | None
) -> "tuple[str, dict[str, AttributeValue]]":
    """Return the name and the attributes of a run's span, by the conventions where they know such runs."""
    agent = _agent(metadata)
    if kind == "tool":
        return f"execute_tool {name}", {semconv.OPERATION: "execute_tool", semconv.TOOL_NAME: name}
    if kind == "chain" and agent is not None and getattr(outer, "agent", None) != agent:
        return f"invoke_agent {name}", {semconv.OPERATION: "invoke_agent", semconv.AGENT_NAME: name}
    return name, {}


def _agent(metadata: Mapping[str, Any]) -> str | None:
    """Return the agent that a run is a part of: "" for one without a name."""
    return str(metadata.get("lc_agent_name") or "") if metadata.get("ls_integration") == _AGENT else None


def _reader(metadata: Mapping[str, Any]) -> Callable[[Run], Attributed]:
    configurable: Mapping[str, Any] = _config().get("configurable") or {}
    return partial(_attributed, metadata, configurable)


def _attributed(metadata: Mapping[str, Any], configurable: Mapping[str, Any], run: Run) -> Attributed:
    said = {name.removeprefix(BAGGAGE_PREFIX): metadata[name] for name in metadata if name.startswith(BAGGAGE_PREFIX)}
    sessions = (holder.get(name) for holder in (metadata, configurable) for name in _SESSION_NAMES)
    derived = {
        "session": next((session for session in sessions if session), None),
        "user": metadata.get("user_id"),
        # A model that runs alone belongs to no run of anything.
        "run": None if run.outer is None and isinstance(run, ModelRun) else run.outermost.id,
    }
    return Attributed(said=tags_of(said), derived=tags_of(derived))
