"""Uses Anthropic's SDK as its documentation shows, and knows nothing of LLMLab.

The SDK reads the key from `ANTHROPIC_API_KEY`, and another address than Anthropic's from `ANTHROPIC_BASE_URL`.
"""

import asyncio

import anthropic
from anthropic.types import MessageParam, TextBlockParam

MODEL = "claude-haiku-4-5"
HANDBOOK: TextBlockParam = {
    "type": "text",
    "text": "Returns are free within 30 days. Shipping takes three days. " * 100,
    "cache_control": {"type": "ephemeral"},
}


def ask(question: str) -> list[MessageParam]:
    return [{"role": "user", "content": question}]


def answer(client: anthropic.Anthropic, question: str) -> str:
    """Answer from the handbook, which the provider keeps in its cache."""
    message = client.messages.create(model=MODEL, max_tokens=200, system=[HANDBOOK], messages=ask(question))
    return "".join(block.text for block in message.content if block.type == "text")


def tell(client: anthropic.Anthropic, subject: str) -> None:
    with client.messages.stream(model=MODEL, max_tokens=200, messages=ask(f"Tell me about {subject}")) as stream:
        for text in stream.text_stream:
            print(text, end="", flush=True)
    print()


async def translate(words: tuple[str, ...]) -> None:
    async with anthropic.AsyncAnthropic() as client:
        calls = [client.messages.create(model=MODEL, max_tokens=50, messages=ask(f"{word} in Welsh")) for word in words]
        print(len(await asyncio.gather(*calls)), "words translated")


def main() -> None:
    with anthropic.Anthropic() as client:
        print(answer(client, "How long does shipping take?"))
        print(answer(client, "Do you ship to Iceland?"))
        tell(client, "the sea")
    asyncio.run(translate(("bread", "butter")))


if __name__ == "__main__":
    main()
