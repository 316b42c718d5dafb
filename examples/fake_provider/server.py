"""The provider as one web application, and as a server on a socket."""

import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fake_provider import anthropic, bedrock, cohere, gemini, groq, huggingface, mistral, openai
from fake_provider.book import Book

PAUSE_S = 0.05
"""How long the model `slow` waits before each chunk."""


def create_app(book: Book, pause_s: float = PAUSE_S) -> Starlette:
    """Put the wire formats together; `GET /_book` shows what was billed."""

    async def show_book(_: Request) -> JSONResponse:
        return JSONResponse({"calls": book.bills()})

    # Mistral first: one of its paths lies inside those that Gemini takes as a whole.
    wire_formats = (mistral, anthropic, bedrock, cohere, gemini, groq, huggingface, openai)
    routes = [route for wire_format in wire_formats for route in wire_format.routes(book, pause_s)]
    return Starlette(routes=[*routes, Route("/_book", show_book)])


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Open the listening socket; port 0 takes a free one. Connections wait in it until the server runs."""
    return socket.create_server((host, port), backlog=512)


def create_server(app: Starlette) -> uvicorn.Server:
    """Wrap the application in a server that keeps quiet: it fails on purpose, and often."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
