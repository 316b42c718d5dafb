"""LangChain: chat models and LLMs that no instrumented SDK records, and the runs around all calls.

Embeddings tell LangChain nothing, so they are recorded by the SDK below or not at all. The functions hold for
langchain-core 0.3.75 up to 1.7; both ends are tested.

No callback handler is added: the managers that would call it are listened to themselves, which costs less and leaves
the application's lists of handlers as they are.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from llmlab.blocks import within_async_generator, within_generator
from llmlab.capture.faults import Guard
from llmlab.capture.runs import enclosing
from llmlab.formats.langchain import read_generations
from llmlab.frameworks.langchain import ModelAtWork, ModelRun, NamedRun, enclose, note_cache_hit, run_of
from llmlab.providers import Hook, Provider, Reply

if TYPE_CHECKING:
    from llmlab.capture.recording import Recorder
    from llmlab.capture.wrapping import Wrapper

_MANAGERS = "langchain_core.callbacks.manager"
_CHAT = "langchain_core.language_models.chat_models"
_LLMS = "langchain_core.language_models.llms"
_OPERATIONS = {"on_chat_model_start": "chat", "on_llm_start": "text_completion"}
_KINDS = {"on_chain_start": "chain", "on_tool_start": "tool", "on_retriever_start": "retriever"}
_SIMPLE = "LLM._generate"
_listening = Guard("listen to LangChain")

Arguments = tuple[Any, ...]
Keywords = dict[str, Any]


def _starts(event: str, *, is_async: bool) -> "Callable[[Recorder], Wrapper]":
    """Return what listens to the beginning of runs."""

    def make(recorder: "Recorder") -> "Wrapper":
        if enclose not in enclosing:
            enclosing.append(enclose)
        note = _notes_models(recorder, _OPERATIONS[event]) if event in _OPERATIONS else _notes(recorder, _KINDS[event])

        def start(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
            managers = original(*args, **keywords)
            with _listening:
                note(managers, args, keywords)
            return managers

        async def start_async(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
            managers = await original(*args, **keywords)
            with _listening:
                note(managers, args, keywords)
            return managers

        return start_async if is_async else start

    return make


def _notes_models(recorder: "Recorder", operation: str) -> Callable[[Any, Arguments, Keywords], None]:
    def note(managers: Any, _: Arguments, keywords: Keywords) -> None:
        for manager in managers:
            ModelRun(recorder, operation, manager, keywords.get("invocation_params"))

    return note


def _notes(recorder: "Recorder", kind: str) -> Callable[[Any, Arguments, Keywords], None]:
    def note(manager: Any, args: Arguments, keywords: Keywords) -> None:
        NamedRun(recorder, kind, _name(args, keywords) or kind, manager)

    return note


def _name(args: Arguments, keywords: Keywords) -> str:
    if name := keywords.get("name"):
        return str(name)
    serialized = args[0] if args else keywords.get("serialized")
    known = serialized if isinstance(serialized, dict) else {}
    return str(known.get("name") or (known.get("id") or [""])[-1])


def _end(original: Callable[..., Any], manager: Any, args: Arguments, keywords: Keywords) -> Any:
    """Listen to the end of runs. Of an asynchronous manager the original returns a coroutine."""
    with _listening:
        run = run_of(manager.run_id)
        if isinstance(run, NamedRun):
            run.end()
        elif isinstance(run, ModelRun) and run.is_candidate:
            run.settle(_reply(args[0] if args else keywords.get("response")))
    return original(*args, **keywords)


def _fail(original: Callable[..., Any], manager: Any, args: Arguments, keywords: Keywords) -> Any:
    """Listen to the failure of runs."""
    with _listening:
        run = run_of(manager.run_id)
        error = args[0] if args else keywords.get("error")
        error = None if isinstance(error, GeneratorExit) else error  # the application has thrown the stream away
        if isinstance(run, NamedRun):
            run.end(error)
        elif isinstance(run, ModelRun) and run.is_candidate:
            run.settle(_reply(keywords.get("response")), complete=not run.streams, error=error)
    return original(*args, **keywords)


def _reply(result: Any) -> Reply:
    """Read an `LLMResult` of one prompt."""
    generations = getattr(result, "generations", None)
    return read_generations(generations[0] if generations else (), getattr(result, "llm_output", None))


def _chat(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    run = _run(keywords)
    if run is None:
        return original(*args, **keywords)
    try:
        with ModelAtWork([run]):
            result = original(*args, **keywords)
    except BaseException as error:
        run.settle(Reply(), error=error)
        raise
    return _answered(run, result)


async def _chat_async(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    run = _run(keywords)
    if run is None:
        return await original(*args, **keywords)
    try:
        with ModelAtWork([run]):
            result = await original(*args, **keywords)
    except BaseException as error:
        run.settle(Reply(), error=error)
        raise
    return _answered(run, result)


def _run(keywords: Keywords) -> ModelRun | None:
    run = run_of(getattr(keywords.get("run_manager"), "run_id", None))
    return run if isinstance(run, ModelRun) else None


def _answered(run: ModelRun, result: Any) -> Any:
    if run.is_candidate:
        with _listening:
            run.settle(read_generations(result.generations, result.llm_output))
    return result


def _prompts(original: Callable[..., Any], model: Any, args: Arguments, keywords: Keywords) -> Any:
    with ModelAtWork(_runs_of(model, args, keywords)):
        return original(*args, **keywords)


async def _prompts_async(original: Callable[..., Any], model: Any, args: Arguments, keywords: Keywords) -> Any:
    with ModelAtWork(_runs_of(model, args, keywords)):
        return await original(*args, **keywords)


def _runs_of(model: Any, args: Arguments, keywords: Keywords) -> list[ModelRun]:
    """Return the runs of several prompts.

    A model answers them in one request or in many, and counts them together or each. Where it counts them together the
    first one stands for all. A simple model, which defines only `_call`, is asked for one after the other.
    """
    managers = args[2] if len(args) > 2 else keywords.get("run_managers") or ()
    runs = [run_of(getattr(manager, "run_id", None)) for manager in managers]
    models = [run for run in runs if isinstance(run, ModelRun)]
    is_simple = getattr(type(model)._generate, "__qualname__", "") == _SIMPLE  # noqa: SLF001
    for run in models[1:]:
        run.shares = "failures" if is_simple else "requests"
    return models


def _stream(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    return within_generator(original, _streaming)(*args, **keywords)


def _stream_async(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    return within_async_generator(original, _streaming)(*args, **keywords)


def _streaming(run: ModelRun | None = None) -> ModelAtWork:
    return ModelAtWork([] if run is None else [run], streams=True)


def _events(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    return within_generator(original, partial(_streaming, _run(keywords)))(*args, **keywords)


def _events_async(original: Callable[..., Any], _: Any, args: Arguments, keywords: Keywords) -> Any:
    return within_async_generator(original, partial(_streaming, _run(keywords)))(*args, **keywords)


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
