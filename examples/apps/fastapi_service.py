"""A service that streams answers, and says for each request whose call it is and what for.

    opentelemetry-instrument uvicorn --app-dir examples/apps fastapi_service:app

    curl -N localhost:8000/answers -H 'x-user-id: u1' -H 'x-feature: search' -H 'content-type: application/json' \
        -d '{"text": "How long does shipping take?"}'

The SDK reads the address of the provider and the key from `OPENAI_BASE_URL` and `OPENAI_API_KEY`; `MODEL` names
another model.
"""

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import openai
from fastapi import FastAPI, Header, Request
from fastapi.responses import StreamingResponse
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel

import llmlab

MODEL = os.environ.get("MODEL", "gpt-4o-mini")


class Question(BaseModel):
    """What a user asks."""

    text: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Keep one client, and with it one pool of connections, as long as the service runs."""
    async with openai.AsyncOpenAI() as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/answers")
async def answer(
    question: Question,
    request: Request,
    x_user_id: Annotated[str | None, Header()] = None,
    x_feature: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Stream an answer. The call belongs to where it is made, so the block need not last as long as the stream."""
    client: openai.AsyncOpenAI = request.app.state.client
    with llmlab.attribute(user=x_user_id, feature=x_feature):
        chunks = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": question.text}], stream=True
        )
    return StreamingResponse(words(chunks), media_type="text/plain")


async def words(chunks: openai.AsyncStream[ChatCompletionChunk]) -> AsyncIterator[str]:
    """Yield what the model says. Whatever ends the request closes the stream, and with it the connection."""
    async with chunks:
        async for chunk in chunks:
            yield chunk.choices[0].delta.content or ""
