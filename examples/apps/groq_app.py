"""A sample application that uses Groq's SDK as its documentation shows.

The SDK reads the address of the provider and the key from `GROQ_BASE_URL` and `GROQ_API_KEY`.
"""

import asyncio

import groq

MODEL = "llama-3.3-70b-versatile"


def ask(client: groq.Groq, question: str) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": question}])
    print(completion.choices[0].message.content)


def stream(client: groq.Groq, subject: str) -> None:
    chunks = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": f"Write about {subject}"}], stream=True
    )
    print("".join(chunk.choices[0].delta.content or "" for chunk in chunks))


async def ask_at_once(questions: tuple[str, ...]) -> None:
    async with groq.AsyncGroq() as client:
        calls = [
            client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": question}])
            for question in questions
        ]
        for completion in await asyncio.gather(*calls):
            print(completion.choices[0].message.content)


def main() -> None:
    with groq.Groq() as client:
        ask(client, "How long does shipping take?")
        stream(client, "a delayed parcel")
    asyncio.run(ask_at_once(("Do you ship to Iceland?", "Can I return shoes?")))


if __name__ == "__main__":
    main()
