"""Mistral's HTTP API: OpenAI's formats, with usage on the last chunk of every stream."""

from starlette.routing import Route

from fake_provider.book import Book
from fake_provider.mistral.chat import CompletionEndpoint
from fake_provider.mistral.embeddings import EmbeddingsEndpoint

__all__ = ["PREFIX", "routes"]

PREFIX = "/mistral"
"""What stands before the real paths, because they are also OpenAI's."""

VERTEX_PATH = "/v1/projects/{project}/locations/{region}/publishers/mistralai/models/{call}"
"""Where the client for Vertex AI calls, whatever the path of its server."""


def routes(book: Book, pause_s: float) -> list[Route]:
    """Return the endpoints. `pause_s` is how long the model `slow` waits before each chunk."""
    completion, embeddings = CompletionEndpoint(book, pause_s), EmbeddingsEndpoint(book)
    endpoints = {
        "/v1/chat/completions": completion.handle,
        "/v1/fim/completions": completion.handle,
        "/v1/agents/completions": completion.handle,
        "/v1/embeddings": embeddings.handle,
        "/models/chat/completions": completion.handle,  # the client for Azure; older ones:
        "/chat/completions": completion.handle,
    }
    paths = {PREFIX + path: handle for path, handle in endpoints.items()} | {VERTEX_PATH: completion.handle}
    return [Route(path, handle, methods=["POST"]) for path, handle in paths.items()]
