"""LangChain: chat models and LLMs that no instrumented SDK records, and the runs around all calls.

Embeddings tell LangChain nothing, so they are recorded by the SDK below or not at all. The functions hold for
langchain-core 0.3.75 up to 1.7; both ends are tested.

No callback handler is added: the managers that would call it are listened to themselves, which costs less and leaves
the application's lists of handlers as they are.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llmlab.blocks import within_async_generator, within_generator
from llmlab.capture.faults import Guard
from llmlab.capture.runs import enclosing
from llmlab.formats.langchain import read_generations
from llmlab.frameworks.langchain import (
    ModelAtWork,
    ModelRun,
    begin_model_run,
    begin_run,
    enclose,
    note_cache_hit,
    run_of,
)
from llmlab.providers import Hook, Provider, Reply

if TYPE_CHECKING:
    from llmlab.capture.recording import Recorder
    from llmlab.capture.wrapping import Wrapper

_MANAGERS = "langchain_core.callbacks.manager"
_CHAT = "langchain_core.language_models.chat_models"
_LLMS = "langchain_core.language_models.llms"
_OPERATIONS = {"on_chat_model_start": "chat", "on_llm_start": "text_completion"}
_KINDS = {"on_chain_start": "chain", "on_tool_start": "tool", "on_retriever_start": "retriever"}
_listening = Guard("listen to LangChain")

Arguments = tuple[Any, ...]
Keywords = dict[str, Any]


def _starts(event: str, *, is_async: bool) -> "Callable[[Recorder], Wrapper]":
    """Return what listens to the beginning of runs."""

    def make(recorder: "Recorder") -> "Wrapper":
        if enclose not in enclosing:
            enclosing.append(enclose)

        def note(managers: Any, args: Arguments, keywords: Keywords) -> Any:
            with _listening:
                _begin(recorder, event, managers, args[0] if args else keywords.get("serialized"), keywords)
            return managers

        def start(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
            return note(original(*args, **keywords), args, keywords)

        async def start_async(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
            return note(await original(*args, **keywords), args, keywords)

        return start_async if is_async else start

    return make


def _begin(recorder: "Recorder", event: str, managers: Any, serialized: Any, keywords: Keywords) -> None:
    name = _name(serialized, keywords)
    if event in _KINDS:
        begin_run(recorder, _KINDS[event], name or _KINDS[event], managers)
        return
    for manager in managers:
        begin_model_run(recorder, name or "model", manager, _OPERATIONS[event], keywords.get("invocation_params"))


def _name(serialized: Any, keywords: Keywords) -> str:
    known = serialized if isinstance(serialized, dict) else {}
    return str(keywords.get("name") or known.get("name") or (known.get("id") or [""])[-1])


def _end(original: Callable[..., Any], manager: Any, args: Arguments, keywords: Keywords) -> Any:
    """Listen to the end of runs. Of an asynchronous manager the original returns a coroutine."""
    with _listening:
        run = run_of(manager.run_id)
        if isinstance(run, ModelRun):
            run.settle(_reply(args[0] if args else keywords.get("response")) if run.is_candidate else Reply())
        elif run is not None:
            run.end()
    return original(*args, **keywords)


def _fail(original: Callable[..., Any], manager: Any, args: Arguments, keywords: Keywords) -> Any:
    """Listen to the failure of runs."""
    with _listening:
        run = run_of(manager.run_id)
        error = args[0] if args else keywords.get("error")
        error = None if isinstance(error, GeneratorExit) else error  # the application has thrown the stream away
        if isinstance(run, ModelRun):
            run.settle(_reply(keywords.get("response")), complete=not run.streams, error=error)
        elif run is not None:
            run.end(error)
    return original(*args, **keywords)


def _reply(result: Any) -> Reply:
    """Read an `LLMResult` of one prompt."""
    generations = getattr(result, "generations", None)
    return read_generations(generations[0] if generations else (), getattr(result, "llm_output", None))


def _chat(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    run = _run(keywords)
    try:
        with ModelAtWork([run]):
            result = original(*args, **keywords)
    except BaseException as error:
        _settle(run, Reply(), error)
        raise
    return _answered(run, result)


async def _chat_async(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    run = _run(keywords)
    try:
        with ModelAtWork([run]):
            result = await original(*args, **keywords)
    except BaseException as error:
        _settle(run, Reply(), error)
        raise
    return _answered(run, result)


def _run(keywords: Keywords) -> ModelRun | None:
    run = run_of(getattr(keywords.get("run_manager"), "run_id", None))
    return run if isinstance(run, ModelRun) else None


def _answered(run: ModelRun | None, result: Any) -> Any:
    with _listening:
        if run is not None:
            run.settle(read_generations(result.generations, result.llm_output) if run.is_candidate else Reply())
    return result


def _settle(run: ModelRun | None, reply: Reply, error: BaseException | None = None) -> None:
    if run is not None:
        run.settle(reply, error=error)


def _prompts(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    with ModelAtWork(_runs_of(args, keywords)):
        return original(*args, **keywords)


async def _prompts_async(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    with ModelAtWork(_runs_of(args, keywords)):
        return await original(*args, **keywords)


def _runs_of(args: Arguments, keywords: Keywords) -> list[Any]:
    managers = args[2] if len(args) > 2 else keywords.get("run_managers") or ()
    return [run_of(getattr(manager, "run_id", None)) for manager in managers]


def _stream(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    return within_generator(original, lambda: ModelAtWork(streams=True))(*args, **keywords)


def _stream_async(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    return within_async_generator(original, lambda: ModelAtWork(streams=True))(*args, **keywords)


def _events(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    return within_generator(original, lambda: ModelAtWork([_run(keywords)], streams=True))(*args, **keywords)


def _events_async(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    return within_async_generator(original, lambda: ModelAtWork([_run(keywords)], streams=True))(*args, **keywords)


def _cached(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    with _listening:
        note_cache_hit()
    return original(*args, **keywords)


def _is(wrapper: "Wrapper") -> "Callable[[Recorder], Wrapper]":
    return lambda _recorder: wrapper


_RUN_MANAGERS = {
    "CallbackManagerForLLMRun": "llm",
    "CallbackManagerForChainRun": "chain",
    "CallbackManagerForToolRun": "tool",
    "CallbackManagerForRetrieverRun": "retriever",
}
_BEGINNINGS = tuple(
    Hook(module=_MANAGERS, attribute=f"{manager}.{event}", wrapper=_starts(event, is_async=manager.startswith("Async")))
    for manager in ("CallbackManager", "AsyncCallbackManager")
    for event in (*_OPERATIONS, *_KINDS)
)
_ENDS = tuple(
    Hook(module=_MANAGERS, attribute=f"{prefix}{manager}.on_{kind}_{end}", wrapper=_is(listen))
    for prefix in ("", "Async")
    for manager, kind in _RUN_MANAGERS.items()
    for end, listen in (("end", _end), ("error", _fail))
)
PROVIDER = Provider(
    name="langchain",
    distribution="langchain-core",
    versions=">=0.3.75,<2",
    hooks=(
        *_BEGINNINGS,
        *_ENDS,
        Hook(module=_CHAT, attribute="BaseChatModel._generate_with_cache", wrapper=_is(_chat)),
        Hook(module=_CHAT, attribute="BaseChatModel._agenerate_with_cache", wrapper=_is(_chat_async)),
        Hook(module=_CHAT, attribute="BaseChatModel._convert_cached_generations", wrapper=_is(_cached)),
        Hook(module=_CHAT, attribute="BaseChatModel.stream", wrapper=_is(_stream)),
        Hook(module=_CHAT, attribute="BaseChatModel.astream", wrapper=_is(_stream_async)),
        Hook(module=_CHAT, attribute="BaseChatModel._iter_v2_events", wrapper=_is(_events), is_optional=True),
        Hook(module=_CHAT, attribute="BaseChatModel._aiter_v2_events", wrapper=_is(_events_async), is_optional=True),
        Hook(module=_LLMS, attribute="BaseLLM._generate_helper", wrapper=_is(_prompts)),
        Hook(module=_LLMS, attribute="BaseLLM._agenerate_helper", wrapper=_is(_prompts_async)),
        Hook(module=_LLMS, attribute="BaseLLM.stream", wrapper=_is(_stream)),
        Hook(module=_LLMS, attribute="BaseLLM.astream", wrapper=_is(_stream_async)),
    ),
)
