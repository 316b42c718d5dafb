"""OpenAI's HTTP API, and Azure's flavour of it."""

from starlette.routing import Route

from fake_provider.book import Book
from fake_provider.openai.chat import ChatEndpoint
from fake_provider.openai.embeddings import EmbeddingsEndpoint

__all__ = ["routes"]


def routes(book: Book, pause_s: float) -> list[Route]:
    """Return the endpoints. `pause_s` is how long the model `slow` waits before each chunk."""
    chat, embeddings = ChatEndpoint(book, pause_s), EmbeddingsEndpoint(book)
    prefixes = ("/v1", "/openai/v1", "/openai/deployments/{deployment}")
    return [
        Route(prefix + path, endpoint, methods=["POST"])
        for prefix in prefixes
        for path, endpoint in (("/chat/completions", chat.handle), ("/embeddings", embeddings.handle))
    ]
