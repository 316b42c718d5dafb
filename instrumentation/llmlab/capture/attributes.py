"""Requests and replies as span attributes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmlab import semconv
from llmlab.counts import MEASURED

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from llmlab.providers import Reply, Request

PLAIN = (int, float, str)
"""What the value of a parameter may be. The others are None or one of the SDK's markers."""
_LEAST_ERROR_STATUS = 400


def of_parameters(parameters: Mapping[str, Any], names: Mapping[str, str]) -> "dict[str, AttributeValue]":
    """Return the parameters of a call that `names` gives an attribute.

    Those left out are None or one of the SDK's markers.
    """
    attributes: dict[str, AttributeValue] = {}
    for name, value in parameters.items():  # a comprehension would be one call more
        if name in names and isinstance(value, PLAIN):
            attributes[names[name]] = value
    return attributes


def of_request(request: "Request") -> "dict[str, AttributeValue]":
    """Return the attributes that are known before the call."""
    attributes: dict[str, AttributeValue] = {
        semconv.OPERATION: request.operation,
        **request.endpoint.attributes,
        **request.attributes,
    }
    if request.model is not None:
        attributes[semconv.REQUEST_MODEL] = request.model
    if request.chunks is not None:
        attributes[semconv.REQUEST_STREAM] = True
    return attributes


def of_outcome(
    reply: "Reply",
    tier_attribute: str,
    *,
    complete: bool = True,
    error: BaseException | None = None,
    first_chunk_s: float | None = None,
) -> "dict[str, AttributeValue]":
    """Return the attributes that are known after the call. Counts of 0 are known and stay.

    `complete`: the call came to its own end, as far as anybody but the reply can tell. One function, because each call
    pays for every function that it goes through.
    """
    attributes: dict[str, AttributeValue] = {**reply.counts}
    for name, value in (
        (semconv.RESPONSE_MODEL, reply.model),
        (semconv.RESPONSE_ID, reply.id),
        (semconv.RESPONSE_FINISH_REASONS, reply.finish_reasons),
        (tier_attribute, reply.tier),
    ):
        if value:
            attributes[name] = value  # noqa: PERF403 - a comprehension would be one call more
    if reply.cost_usd is not None:
        attributes[semconv.PROVIDER_COST_USD] = reply.cost_usd
    if reply.attributes:
        attributes.update(reply.attributes)
    if not (complete if reply.ended is None else reply.ended):
        if first_chunk_s is not None or not _is_refusal(error):
            attributes[semconv.USAGE_SOURCE] = semconv.USAGE_PARTIAL
    elif not MEASURED.isdisjoint(reply.counts):
        attributes[semconv.USAGE_SOURCE] = semconv.USAGE_ESTIMATED if reply.is_estimated else semconv.USAGE_REPORTED
    if first_chunk_s is not None:
        attributes[semconv.RESPONSE_TIME_TO_FIRST_CHUNK_S] = first_chunk_s
    if error is not None:
        attributes[semconv.ERROR_TYPE] = type(error).__qualname__
    return attributes


def _is_refusal(error: BaseException | None) -> bool:
    """Say whether the provider answered with an error: some SDKs send the request when the stream is first read.

    SDKs keep the HTTP status under one of three names.
    """
    response = getattr(error, "response", None)
    found = (getattr(error, "status_code", None), getattr(error, "code", None), getattr(response, "status_code", None))
    return any(isinstance(status, int) and status >= _LEAST_ERROR_STATUS for status in found)
