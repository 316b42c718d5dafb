"""Google's Gemini API, and Vertex AI's flavour of it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fake_provider.book import Book
from fake_provider.gemini.embeddings import EmbeddingsEndpoint
from fake_provider.gemini.errors import not_found
from fake_provider.gemini.generate import GenerateEndpoint

__all__ = ["routes"]


def routes(book: Book, pause_s: float) -> list[Route]:
    """Return the endpoints. `pause_s` is how long the model `slow` waits before each chunk."""
    generate, embeddings = GenerateEndpoint(book, pause_s), EmbeddingsEndpoint(book)
    methods = {
        "generateContent": generate.whole,
        "streamGenerateContent": generate.stream,
        "batchEmbedContents": embeddings.batch,
        "embedContent": embeddings.one,
        "predict": embeddings.predict,
    }

    async def handle(request: Request) -> Response:
        model, _, method = request.path_params["resource"].rpartition("/")[2].partition(":")
        if method not in methods:
            return not_found(request.url.path)
        return await methods[method](request, model)

    # Vertex AI's models have a publisher, and a project unless an API key says whose call it is.
    versions = ("v1", "v1beta", "v1beta1")
    roots = ("models", "publishers", "projects")
    return [
        Route(f"/{version}/{root}/{{resource:path}}", handle, methods=["POST"])
        for version in versions
        for root in roots
    ]
