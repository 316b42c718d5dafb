"""Uses Hugging Face's SDK as its documentation shows, and knows nothing of LLMLab.

The SDK reads the token from `HF_TOKEN`. `HF_CHAT_URL` is the address of a server of one's own; without it the calls go
to Hugging Face.
"""

import asyncio
import os

from huggingface_hub import AsyncInferenceClient, InferenceClient

MODEL = "meta-llama/Llama-3.3-70B-Instruct"
SERVER = os.environ.get("HF_CHAT_URL")


def ask(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


async def translate() -> str | None:
    async with AsyncInferenceClient(base_url=SERVER) as client:
        answer = await client.chat_completion(ask("Translate 'thank you' into Welsh"), model=MODEL)
    return answer.choices[0].message.content


def main() -> None:
    client = InferenceClient(base_url=SERVER)
    print(client.chat.completions.create(messages=ask("Why is the sky blue?"), model=MODEL).choices[0].message.content)
    for chunk in client.chat_completion(ask("Tell me a story"), model=MODEL, stream=True):
        print(chunk.choices[0].delta.content, end="")
    print()
    print(asyncio.run(translate()))


if __name__ == "__main__":
    main()
