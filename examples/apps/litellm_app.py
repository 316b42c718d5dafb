"""A sample application that uses LiteLLM as its documentation shows, with two providers.

LiteLLM reads the address and the key of OpenAI from `OPENAI_BASE_URL` and `OPENAI_API_KEY`, those of Anthropic from
`ANTHROPIC_API_BASE` and `ANTHROPIC_API_KEY`.
"""

import asyncio

from litellm import Router, acompletion, completion, embedding  # pyright: ignore[reportMissingImports]

CHEAP, GOOD = "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"


def ask(question: str) -> None:
    response = completion(model=GOOD, messages=[{"role": "user", "content": question}])
    print(response.choices[0].message.content)


def stream(subject: str) -> None:
    chunks = completion(model=CHEAP, messages=[{"role": "user", "content": f"Write about {subject}"}], stream=True)
    print("".join(chunk.choices[0].delta.content or "" for chunk in chunks))


def route(question: str) -> None:
    router = Router(model_list=[{"model_name": "support", "litellm_params": {"model": CHEAP}}])
    response = router.completion(model="support", messages=[{"role": "user", "content": question}])
    print(response.choices[0].message.content)


def index(texts: list[str]) -> None:
    print(len(embedding(model="openai/text-embedding-3-small", input=texts).data), "texts embedded")


async def ask_at_once(questions: tuple[str, ...]) -> None:
    calls = [acompletion(model=GOOD, messages=[{"role": "user", "content": question}]) for question in questions]
    for response in await asyncio.gather(*calls):
        print(response.choices[0].message.content)


def main() -> None:
    ask("How long does shipping take?")
    stream("a delayed parcel")
    route("Where is my parcel?")
    index(["Returns are free.", "Shipping takes three days."])
    asyncio.run(ask_at_once(("Do you ship to Iceland?", "Can I return shoes?")))


if __name__ == "__main__":
    main()
