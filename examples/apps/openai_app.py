"""A sample application that uses OpenAI's SDK as its documentation shows: chat, the Responses API, embeddings.

The SDK reads the address of the provider and the key from `OPENAI_BASE_URL` and `OPENAI_API_KEY`.
"""

import asyncio

import openai

CHAT_MODEL, REASONING_MODEL = "gpt-4o-mini", "gpt-5-mini"


def ask(client: openai.OpenAI, question: str) -> None:
    completion = client.chat.completions.create(model=CHAT_MODEL, messages=[{"role": "user", "content": question}])
    print(completion.choices[0].message.content)


def stream(client: openai.OpenAI, subject: str) -> None:
    chunks = client.chat.completions.create(
        model=CHAT_MODEL, messages=[{"role": "user", "content": f"Write about {subject}"}], stream=True
    )
    print("".join(chunk.choices[0].delta.content or "" for chunk in chunks))


def respond(client: openai.OpenAI, question: str) -> None:
    response = client.responses.create(
        model=REASONING_MODEL, input=question, instructions="Be brief.", reasoning={"effort": "low"}
    )
    print(response.output_text)


def stream_response(client: openai.OpenAI, subject: str) -> None:
    with client.responses.stream(model=REASONING_MODEL, input=f"Write about {subject}") as events:
        for event in events:
            if event.type == "response.output_text.delta":
                print(event.delta, end="")
        print()


def index(client: openai.OpenAI, texts: tuple[str, ...]) -> None:
    embeddings = client.embeddings.create(model="text-embedding-3-small", input=list(texts), dimensions=4)
    print(len(embeddings.data), "texts embedded")


async def ask_at_once(questions: tuple[str, ...]) -> None:
    async with openai.AsyncOpenAI() as client:
        calls = [client.responses.create(model=CHAT_MODEL, input=question) for question in questions]
        for response in await asyncio.gather(*calls):
            print(response.output_text)


def main() -> None:
    questions = ("Do you ship to Iceland?", "Can I return shoes?")
    with openai.OpenAI() as client:
        ask(client, "How long does shipping take?")
        stream(client, "a delayed parcel")
        respond(client, "How long does shipping take?")
        stream_response(client, "a delayed parcel")
        index(client, questions)
    asyncio.run(ask_at_once(questions))


if __name__ == "__main__":
    main()
