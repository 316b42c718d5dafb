"""An application as a user would write it: it knows nothing of LLMLab. `OPENAI_BASE_URL` names the provider."""

import asyncio
import contextlib

import openai
from openai.types.chat import ChatCompletionMessageParam

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What does a token cost? " * 300}]


def main() -> None:
    """Call the provider in every way that is instrumented."""
    client = openai.OpenAI(max_retries=0)
    for _ in range(2):  # the second time the prompt is cached
        client.chat.completions.create(model="gpt-5-mini", messages=QUESTION)
    for chunk in client.chat.completions.create(model="gpt-4o-mini", messages=QUESTION, stream=True):
        assert chunk.choices, "a usage chunk reached a caller who did not ask for it"
    asked = client.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    assert [chunk.usage for chunk in asked][-1] is not None
    client.chat.completions.with_raw_response.create(model="gpt-5", messages=QUESTION).parse()
    client.chat.completions.create(model="gpt-5-mini", messages=QUESTION, service_tier="flex")
    client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    client.chat.completions.create(model="unknown-model-xyz", messages=QUESTION)
    with contextlib.suppress(openai.APIError):
        client.chat.completions.create(model="error-429", messages=QUESTION)
    asyncio.run(asynchronous())


async def asynchronous() -> None:
    """Call it asynchronously."""
    async with openai.AsyncOpenAI() as client:
        await client.chat.completions.create(model="gpt-5", messages=QUESTION)
        stream = await client.chat.completions.create(model="gpt-5", messages=QUESTION, stream=True)
        async for chunk in stream:
            assert chunk.choices
        await client.embeddings.create(model="text-embedding-3-small", input="three")


if __name__ == "__main__":
    main()
