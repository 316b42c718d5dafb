"""A sample application. It uses the OpenAI SDK as the SDK's documentation shows, and knows nothing of LLMLab.

The SDK reads the address of the provider and the key from `OPENAI_BASE_URL` and `OPENAI_API_KEY`.
"""

import asyncio

import openai
from openai.types.chat import ChatCompletionMessageParam

HANDBOOK = "Returns are free within 30 days. Shipping takes three days. " * 100
QUESTIONS = ("How long does shipping take?", "Can I return shoes that I have worn?", "Do you ship to Iceland?")


def answer(client: openai.OpenAI, question: str) -> None:
    """Answer from the handbook: a long prompt, of which the provider caches what repeats."""
    client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[{"role": "system", "content": HANDBOOK}, {"role": "user", "content": question}],
    )


def write_letter(client: openai.OpenAI, subject: str) -> str:
    """Stream a text. Nobody asks for the usage here, and it is known all the same."""
    stream = client.chat.completions.create(model="gpt-5-mini", messages=_ask(f"Write about {subject}"), stream=True)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


async def classify(subjects: tuple[str, ...]) -> None:
    """Make several calls at the same time."""
    async with openai.AsyncOpenAI() as client:
        calls = [client.chat.completions.create(model="gpt-4.1-nano", messages=_ask(each)) for each in subjects]
        await asyncio.gather(*calls)


def index(client: openai.OpenAI, texts: tuple[str, ...]) -> None:
    """Embed texts for a search."""
    client.embeddings.create(model="text-embedding-3-small", input=list(texts))


def try_new_model(client: openai.OpenAI) -> None:
    """Call a model that no price list knows."""
    client.chat.completions.create(model="unknown-model-xyz", messages=_ask("Hello"))


def fail(client: openai.OpenAI) -> None:
    """Call too often."""
    try:
        client.with_options(max_retries=0).chat.completions.create(model="error-429", messages=_ask("Hello"))
    except openai.RateLimitError as error:
        print(f"  the application handles an error as ever: {type(error).__name__}")


def _ask(question: str) -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": question}]


def main() -> None:
    """Use the provider in every way that an application does."""
    with openai.OpenAI() as client:
        for question in QUESTIONS + QUESTIONS:
            answer(client, question)
        for subject in ("a delayed parcel", "a new shop"):
            write_letter(client, subject)
        asyncio.run(classify(QUESTIONS))
        index(client, QUESTIONS)
        try_new_model(client)
        fail(client)


if __name__ == "__main__":
    main()
