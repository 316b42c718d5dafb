"""The bodies and chunks of InvokeModel, which every family of models has to itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from fake_provider.bedrock.answer import Answer

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Family:
    """How one family writes an answer."""

    whole: Callable[[Answer], Json]
    chunks: Callable[[Answer], Iterator[Json]]


def family_of(model: str) -> Family:
    """Return the family by the name that the model's id contains."""
    return next((family for name, family in _FAMILIES.items() if name in model), _FAMILIES["anthropic"])


def _anthropic_usage(answer: Answer) -> Json:
    usage: Json = {"input_tokens": answer.usage["inputTokens"], "output_tokens": answer.usage["outputTokens"]}
    if "cacheReadInputTokens" in answer.usage:
        usage["cache_read_input_tokens"] = answer.usage["cacheReadInputTokens"]
        usage["cache_creation_input_tokens"] = answer.usage["cacheWriteInputTokens"]
        written = {detail["ttl"]: detail["inputTokens"] for detail in answer.usage.get("cacheDetails", ())}
        usage["cache_creation"] = {f"ephemeral_{ttl}_input_tokens": written.get(ttl, 0) for ttl in ("5m", "1h")}
    return usage


def _anthropic(answer: Answer) -> Json:
    return {
        "id": f"msg_bdrk_{answer.id}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": answer.text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": _anthropic_usage(answer),
    }


def _anthropic_chunks(answer: Answer) -> Iterator[Json]:
    opening = _anthropic_usage(answer) | {"output_tokens": 1}
    begun = _anthropic(answer) | {"content": [], "stop_reason": None, "usage": opening}
    yield {"type": "message_start", "message": begun}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    for piece in answer.pieces:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "content_block_stop", "index": 0}
    ending = {"output_tokens": answer.usage["outputTokens"]}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": ending}
    yield {"type": "message_stop"}


def _nova_usage(answer: Answer) -> Json:
    usage: Json = {name: answer.usage[name] for name in ("inputTokens", "outputTokens", "totalTokens")}
    for kind in ("Read", "Write"):
        usage[f"cache{kind}InputTokenCount"] = answer.usage.get(f"cache{kind}InputTokens", 0)
    return usage


def _nova(answer: Answer) -> Json:
    message = {"role": "assistant", "content": [{"text": answer.text}]}
    return {"output": {"message": message}, "stopReason": "end_turn", "usage": _nova_usage(answer)}


def _nova_chunks(answer: Answer) -> Iterator[Json]:
    yield {"messageStart": {"role": "assistant"}}
    for piece in answer.pieces:
        yield {"contentBlockDelta": {"delta": {"text": piece}, "contentBlockIndex": 0}}
    yield {"messageStop": {"stopReason": "end_turn"}}
    yield {"metadata": {"usage": _nova_usage(answer), "metrics": {}, "trace": {}}}


def _titan(answer: Answer) -> Json:
    result = {"tokenCount": answer.usage["outputTokens"], "outputText": answer.text, "completionReason": "FINISH"}
    return {"inputTextTokenCount": answer.usage["inputTokens"], "results": [result]}


def _titan_chunks(answer: Answer) -> Iterator[Json]:
    for index, piece in enumerate(answer.pieces, 1):
        last = index == len(answer.pieces)
        yield {
            "outputText": piece,
            "index": 0,
            "totalOutputTextTokenCount": answer.usage["outputTokens"] if last else index,
            "completionReason": "FINISH" if last else None,
            "inputTextTokenCount": answer.usage["inputTokens"],
        }


def _llama(answer: Answer) -> Json:
    counts = {"prompt_token_count": answer.usage["inputTokens"], "generation_token_count": answer.usage["outputTokens"]}
    return {"generation": answer.text, **counts, "stop_reason": "stop"}


def _llama_chunks(answer: Answer) -> Iterator[Json]:
    prompt: int | None = answer.usage["inputTokens"]
    for index, piece in enumerate(answer.pieces, 1):
        yield {"generation": piece, "prompt_token_count": prompt, "generation_token_count": index, "stop_reason": None}
        prompt = None
    counted = answer.usage["outputTokens"]
    yield {"generation": "", "prompt_token_count": None, "generation_token_count": counted, "stop_reason": "stop"}


def _cohere(answer: Answer) -> Json:
    return {"response_id": answer.id, "text": answer.text, "generation_id": answer.id, "finish_reason": "COMPLETE"}


def _cohere_chunks(answer: Answer) -> Iterator[Json]:
    for piece in answer.pieces:
        yield {"event_type": "text-generation", "is_finished": False, "text": piece}
    yield {"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE"}


def _mistral(answer: Answer) -> Json:
    return {"outputs": [{"text": answer.text, "stop_reason": "stop"}]}


def _mistral_chunks(answer: Answer) -> Iterator[Json]:
    last = len(answer.pieces) - 1
    for index, piece in enumerate(answer.pieces):
        yield {"outputs": [{"text": piece, "stop_reason": "stop" if index == last else None}]}


def _openai(answer: Answer) -> Json:
    message = {"role": "assistant", "content": answer.text}
    usage = {"prompt_tokens": answer.usage["inputTokens"], "completion_tokens": answer.usage["outputTokens"]}
    return {
        "id": f"chatcmpl-{answer.id}",
        "model": answer.model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": usage,
    }


def _openai_chunks(answer: Answer) -> Iterator[Json]:
    head = {"id": f"chatcmpl-{answer.id}", "model": answer.model}
    for piece in answer.pieces:
        yield head | {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
    yield head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def _embedding(answer: Answer) -> Json:
    return {"embedding": [0.25, -0.5, 0.125], "inputTextTokenCount": answer.usage["inputTokens"]}


def _no_chunks(_: Answer) -> Iterator[Json]:
    return iter(())


_FAMILIES = {
    "titan-embed": Family(_embedding, _no_chunks),
    "anthropic": Family(_anthropic, _anthropic_chunks),
    "nova": Family(_nova, _nova_chunks),
    "titan": Family(_titan, _titan_chunks),
    "llama": Family(_llama, _llama_chunks),
    "cohere": Family(_cohere, _cohere_chunks),
    "mistral": Family(_mistral, _mistral_chunks),
    "openai": Family(_openai, _openai_chunks),
}
