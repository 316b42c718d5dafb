"""Anthropic's HTTP API, and how Amazon Bedrock and Vertex AI serve it."""

from starlette.routing import Route

from fake_provider.anthropic.batches import BatchesEndpoint
from fake_provider.anthropic.delivery import ClientRequest, bedrock_request, first_party_request, vertex_request
from fake_provider.anthropic.messages import MessagesEndpoint
from fake_provider.book import Book

__all__ = ["BEDROCK_PREFIX", "VERTEX_PREFIX", "routes"]

BEDROCK_PREFIX = "/anthropic-bedrock"
VERTEX_PREFIX = "/anthropic-vertex/v1"
"""What stands before the platforms' real paths, because other models are served there as well."""


def routes(book: Book, pause_s: float) -> list[Route]:
    """Return the endpoints. `pause_s` is how long the model `slow` waits before each event."""
    batches = BatchesEndpoint(book)

    def messages(path: str, read: ClientRequest) -> Route:
        return Route(path, MessagesEndpoint(book, pause_s, read).handle, methods=["POST"])

    project = VERTEX_PREFIX + "/projects/{project}/locations/{region}/publishers/anthropic/models"
    return [
        Route("/v1/messages/count_tokens", MessagesEndpoint(book, 0, first_party_request).count, methods=["POST"]),
        Route("/v1/messages/batches", batches.create, methods=["POST"]),
        Route("/v1/messages/batches/{id}", batches.retrieve),
        Route("/v1/messages/batches/{id}/results", batches.results),
        messages("/v1/messages", first_party_request),
        messages(BEDROCK_PREFIX + "/model/{model:path}/invoke", bedrock_request),
        messages(BEDROCK_PREFIX + "/model/{model:path}/invoke-with-response-stream", bedrock_request),
        messages(project + "/{model}:rawPredict", vertex_request),
        messages(project + "/{model}:streamRawPredict", vertex_request),
    ]
