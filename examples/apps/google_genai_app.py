"""Uses Google's SDK as its documentation shows, and knows nothing of LLMLab.

The SDK reads the key from `GEMINI_API_KEY`, and another address than Google's from `GOOGLE_GEMINI_BASE_URL`.
"""

import asyncio

from google.genai import Client

MODEL = "gemini-2.5-flash"


async def translate(client: Client) -> str | None:
    response = await client.aio.models.generate_content(model=MODEL, contents="Translate 'thank you' into Welsh")
    await client.aio.aclose()
    return response.text


def main() -> None:
    client = Client()
    print(client.models.generate_content(model=MODEL, contents="Why is the sky blue?").text)
    for chunk in client.models.generate_content_stream(model=MODEL, contents="Tell me a story"):
        print(chunk.text, end="")
    print()
    print(asyncio.run(translate(client)))
    print(len(client.models.embed_content(model="gemini-embedding-001", contents="the sky").embeddings or ()))


if __name__ == "__main__":
    main()
