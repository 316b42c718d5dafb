"""Amazon Bedrock's runtime API. Requests may be signed in any way, nobody looks."""

from starlette.routing import Route

from fake_provider.bedrock.endpoints import ConverseEndpoint, InvokeEndpoint
from fake_provider.book import Book

__all__ = ["PREFIX", "routes"]

PREFIX = "/bedrock"


def routes(book: Book, pause_s: float) -> list[Route]:
    """Return the endpoints. `pause_s` is how long a model named `slow` waits before each event."""
    converse, invoke = ConverseEndpoint(book, pause_s), InvokeEndpoint(book, pause_s)
    endpoints = {
        "converse": converse.whole,
        "converse-stream": converse.stream,
        "invoke": invoke.whole,
        "invoke-with-response-stream": invoke.stream,
    }
    # A model id may be an ARN, which has slashes.
    return [
        Route(f"{PREFIX}/model/{{model:path}}/{name}", handle, methods=["POST"]) for name, handle in endpoints.items()
    ]
