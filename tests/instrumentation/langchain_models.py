"""LangChain models as people write them for a provider without a package of its own: over HTTP, without an SDK."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.outputs import (
    ChatGeneration,
    ChatGenerationChunk,
    ChatResult,
    Generation,
    GenerationChunk,
    LLMResult,
)


class HttpChat(BaseChatModel):
    """A chat model with all four methods."""

    url: str
    model: str = "gpt-4o"
    headers: dict[str, str]

    @property
    def _llm_type(self) -> str:
        return "http-chat"

    def _post(self, messages: list[BaseMessage], **more: Any) -> dict[str, Any]:
        asked = [{"role": "user", "content": str(message.content)} for message in messages]
        body = {"model": self.model, "messages": asked, **more}
        return {"url": f"{self.url}/chat/completions", "json": body, "headers": self.headers}

    def _stream_post(self, messages: list[BaseMessage]) -> dict[str, Any]:
        return self._post(messages, stream=True, stream_options={"include_usage": True})

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        return _result(httpx.post(**self._post(messages)).raise_for_status().json())

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        async with httpx.AsyncClient() as client:
            return _result((await client.post(**self._post(messages))).raise_for_status().json())

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> Iterator[ChatGenerationChunk]:
        with httpx.stream("POST", **self._stream_post(messages)) as response:
            _check(response)
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    yield _chunk(json.loads(line.removeprefix("data: ")))

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with httpx.AsyncClient() as client, client.stream("POST", **self._stream_post(messages)) as response:
            await _check_async(response)
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    yield _chunk(json.loads(line.removeprefix("data: ")))


class HttpLLM(BaseLLM):
    """A model of the older kind, from text to text."""

    url: str
    model: str = "gpt-4o"
    headers: dict[str, str]

    @property
    def _llm_type(self) -> str:
        return "http-llm"

    def _generate(self, prompts: list[str], stop: Any = None, run_manager: Any = None, **_: Any) -> LLMResult:
        (prompt,) = prompts
        return _texts(httpx.post(**self._post(prompt)).raise_for_status().json())

    async def _agenerate(self, prompts: list[str], stop: Any = None, run_manager: Any = None, **_: Any) -> LLMResult:
        (prompt,) = prompts
        async with httpx.AsyncClient() as client:
            return _texts((await client.post(**self._post(prompt))).raise_for_status().json())

    def _stream(self, prompt: str, stop: Any = None, run_manager: Any = None, **_: Any) -> Iterator[GenerationChunk]:
        with httpx.stream(
            "POST", **self._post(prompt, stream=True, stream_options={"include_usage": True})
        ) as response:
            _check(response)
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    chunk = json.loads(line.removeprefix("data: "))
                    info = {"token_usage": chunk["usage"]} if chunk.get("usage") else None
                    yield GenerationChunk(text=_text_of(chunk), generation_info=info)

    def _post(self, prompt: str, **more: Any) -> dict[str, Any]:
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}], **more}
        return {"url": f"{self.url}/chat/completions", "json": body, "headers": self.headers}


def _check(response: httpx.Response) -> None:
    if response.is_error:
        response.read()
    response.raise_for_status()


async def _check_async(response: httpx.Response) -> None:
    if response.is_error:
        await response.aread()
    response.raise_for_status()


def _result(body: dict[str, Any]) -> ChatResult:
    message = AIMessage(
        content=body["choices"][0]["message"]["content"],
        usage_metadata=_usage(body["usage"]),
        response_metadata={"model_name": body["model"], "id": body["id"], "finish_reason": "stop"},
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunk(chunk: dict[str, Any]) -> ChatGenerationChunk:
    message = AIMessageChunk(
        content=_text_of(chunk),
        usage_metadata=_usage(chunk["usage"]) if chunk.get("usage") else None,
        response_metadata={"model_name": chunk["model"]},  # on each chunk, as some integrations do
        id=chunk["id"],
    )
    return ChatGenerationChunk(message=message)


def _texts(body: dict[str, Any]) -> LLMResult:
    text = body["choices"][0]["message"]["content"]
    output = {"token_usage": body["usage"], "model_name": body["model"], "id": body["id"]}
    return LLMResult(generations=[[Generation(text=text)]], llm_output=output)


def _text_of(chunk: dict[str, Any]) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _usage(usage: dict[str, Any]) -> UsageMetadata:
    given, answered = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return UsageMetadata(
        input_tokens=usage["prompt_tokens"],
        output_tokens=usage["completion_tokens"],
        total_tokens=usage["total_tokens"],
        input_token_details=InputTokenDetails(cache_read=given.get("cached_tokens", 0)),
        output_token_details=OutputTokenDetails(reasoning=answered.get("reasoning_tokens", 0)),
    )
