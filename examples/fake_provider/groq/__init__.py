"""Groq's HTTP API: OpenAI's, with Groq's own metadata in `x_groq`."""

from starlette.routing import Route

from fake_provider.book import Book
from fake_provider.groq.chat import ChatEndpoint
from fake_provider.openai.embeddings import EmbeddingsEndpoint

__all__ = ["PREFIX", "routes"]

PREFIX = "/groq"
"""What stands before the real paths, because they are also those of Azure's flavour of OpenAI."""


def routes(book: Book, pause_s: float) -> list[Route]:
    """Return the endpoints. `pause_s` is how long the model `slow` waits before each chunk."""
    chat, embeddings = ChatEndpoint(book, pause_s), EmbeddingsEndpoint(book)
    return [
        Route(f"{PREFIX}/openai/v1/chat/completions", chat.handle, methods=["POST"]),
        Route(f"{PREFIX}/openai/v1/embeddings", embeddings.handle, methods=["POST"]),
    ]
