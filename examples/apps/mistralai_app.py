"""A sample application that uses Mistral's SDK as its documentation shows.

The SDK reads the key from `MISTRAL_API_KEY`. It has no variable for the address, so the application reads one:
`MISTRAL_SERVER_URL`.
"""

import asyncio
import os

from mistralai.client import Mistral

SERVER_URL = os.environ.get("MISTRAL_SERVER_URL")
MODEL = "mistral-small-latest"


def ask(client: Mistral, question: str) -> None:
    response = client.chat.complete(model=MODEL, messages=[{"role": "user", "content": question}])
    print(response.choices[0].message)


def stream(client: Mistral, subject: str) -> None:
    with client.chat.stream(model=MODEL, messages=[{"role": "user", "content": f"Write about {subject}"}]) as events:
        for event in events:
            print(event.data.choices[0].delta.content)


def index(client: Mistral, texts: list[str]) -> None:
    print(len(client.embeddings.create(model="mistral-embed", inputs=texts).data), "texts embedded")


async def complete_code(prompt: str) -> None:
    async with Mistral(server_url=SERVER_URL) as client:
        response = await client.fim.complete_async(model="codestral-latest", prompt=prompt, suffix="return c")
        print(response.choices[0].message)


def main() -> None:
    with Mistral(server_url=SERVER_URL) as client:
        ask(client, "How long does shipping take?")
        stream(client, "a delayed parcel")
        index(client, ["Returns are free.", "Shipping takes three days."])
    asyncio.run(complete_code("def add(a, b):"))


if __name__ == "__main__":
    main()
