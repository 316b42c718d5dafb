"""Hugging Face's servers for text generation (TGI) and for embeddings (TEI). Their chat is OpenAI's."""

from starlette.routing import Route

from fake_provider.book import Book
from fake_provider.huggingface.servers import EmbeddingServer, GenerationServer

__all__ = ["PREFIX", "routes"]

PREFIX = "/huggingface"


def routes(book: Book, pause_s: float) -> list[Route]:
    """Return the endpoints. `pause_s` is unused: what is slow here is the chat."""
    del pause_s
    return [
        Route(f"{PREFIX}/generate", GenerationServer(book).handle, methods=["POST"]),
        Route(f"{PREFIX}/embed", EmbeddingServer(book).handle, methods=["POST"]),
    ]
