"""Cohere's HTTP API, versions 1 and 2."""

from starlette.routing import Route

from fake_provider.book import Book
from fake_provider.cohere.chat import ChatEndpoint
from fake_provider.cohere.others import OtherEndpoints

__all__ = ["routes"]


def routes(book: Book, pause_s: float) -> list[Route]:
    """Return the endpoints. `pause_s` is how long the model `slow` waits before each event."""
    chat, others = ChatEndpoint(book, pause_s), OtherEndpoints(book)
    endpoints = {
        "/v1/chat": chat.handle,
        "/v2/chat": chat.handle,
        "/v1/generate": others.generate,
        "/v1/embed": others.embed,
        "/v2/embed": others.embed,
        "/v1/rerank": others.rerank,
        "/v2/rerank": others.rerank,
    }
    return [Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints.items()]
