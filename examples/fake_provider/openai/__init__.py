"""OpenAI's HTTP API, and Azure's flavour of it."""

from starlette.routing import Route

from fake_provider.book import Book
from fake_provider.openai.chat import ChatEndpoint
from fake_provider.openai.completions import CompletionsEndpoint
from fake_provider.openai.embeddings import EmbeddingsEndpoint
from fake_provider.openai.media import MediaEndpoint
from fake_provider.openai.responses import ResponsesEndpoint

__all__ = ["routes"]


def routes(book: Book, pause_s: float) -> list[Route]:
    """Return the endpoints. `pause_s` is how long the model `slow` waits before each chunk."""
    chat, embeddings, responses = (
        ChatEndpoint(book, pause_s),
        EmbeddingsEndpoint(book),
        ResponsesEndpoint(book, pause_s),
    )
    completions, media = CompletionsEndpoint(book, pause_s), MediaEndpoint(book)
    posts = (
        ("/chat/completions", chat.handle),
        ("/completions", completions.handle),
        ("/embeddings", embeddings.handle),
        ("/responses", responses.handle),
        ("/responses/compact", responses.compact),
        ("/images/generations", media.images),
        ("/images/edits", media.images),
        ("/images/variations", media.images),
        ("/audio/transcriptions", media.transcribe),
        ("/audio/translations", media.translate),
        ("/audio/speech", media.speak),
    )
    prefixes = ("/v1", "/openai/v1", "/openai/deployments/{deployment}")
    return [
        *(Route(prefix + path, endpoint, methods=["POST"]) for prefix in prefixes for path, endpoint in posts),
        Route("/v1/responses/{response}", responses.retrieve, methods=["GET"]),
    ]
