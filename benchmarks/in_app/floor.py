"""The floor: the least that records what llmlab records, written by hand for one method of one SDK.

One span, each attribute set once, one look at each chunk. No guard around its own work, no error path, no context for
child spans, no switch, no `async`: an instrumentation needs all of these, so it cannot be faster than this.

The stream that the caller gets is the SDK's own, with its type and its methods, because an instrumentation must not
change that either. Its chunks come through a generator that is put where the SDK keeps its iterator: a private place,
but the cheapest, and no dearer than to return the bare generator, as this floor once did. A stream that is closed or
thrown away before its end leaves the span open.
"""

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from openai.resources.chat.completions import Completions
from opentelemetry import trace


def install() -> None:
    """Replace `Completions.create`."""
    tracer = trace.get_tracer("floor")
    original = Completions.create

    def create(self: Completions, **keywords: Any) -> Any:
        span = _start(tracer, self, keywords)
        if keywords.get("stream"):
            started_s = perf_counter()
            stream = original(self, **keywords)
            stream._iterator = _watch(stream._iterator, span, started_s)  # noqa: SLF001 - the SDK's own type stays
            return stream
        completion = original(self, **keywords)
        span.set_attributes(_outcome(completion, completion.usage, completion.choices[0].finish_reason))
        span.end()
        return completion

    Completions.create = create  # pyright: ignore[reportAttributeAccessIssue] - the SDK's overloads cannot be matched


def _start(tracer: trace.Tracer, completions: Completions, keywords: dict[str, Any]) -> trace.Span:
    # The only place that has it.
    url = completions._client.base_url  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": keywords["model"],
        "gen_ai.request.max_tokens": keywords["max_completion_tokens"],
        "openai.api.type": "chat_completions",
        "server.address": url.host,
        "server.port": url.port or 443,
    }
    if keywords.get("stream"):
        attributes["gen_ai.request.stream"] = True
    return tracer.start_span(f"chat {keywords['model']}", kind=trace.SpanKind.CLIENT, attributes=attributes)


def _watch(chunks: Iterator[Any], span: trace.Span, started_s: float) -> Iterator[Any]:
    chunk = last = next(chunks)
    first_chunk_s = perf_counter() - started_s
    yield chunk
    for chunk in chunks:
        if chunk.usage is not None:
            attributes = _outcome(chunk, chunk.usage, last.choices[0].finish_reason)
            attributes["gen_ai.response.time_to_first_chunk"] = first_chunk_s
            span.set_attributes(attributes)
        last = chunk
        yield chunk
    span.end()


def _outcome(reply: Any, usage: Any, finish_reason: str) -> dict[str, Any]:
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return {
        "gen_ai.response.model": reply.model,
        "gen_ai.response.id": reply.id,
        "gen_ai.response.finish_reasons": (finish_reason,),
        "openai.response.service_tier": reply.service_tier,
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": prompt.cached_tokens,
        "gen_ai.usage.audio.input_tokens": prompt.audio_tokens,
        "gen_ai.usage.reasoning.output_tokens": completion.reasoning_tokens,
        "gen_ai.usage.audio.output_tokens": completion.audio_tokens,
        "llmlab.usage.source": "reported",
    }
