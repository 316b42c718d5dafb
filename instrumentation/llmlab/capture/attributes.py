"""Requests and replies as span attributes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmlab.counts import MEASURED
from llmlab.semconv import (
    ERROR_TYPE,
    OPERATION,
    PROVIDER_COST_USD,
    REQUEST_MODEL,
    REQUEST_STREAM,
    RESPONSE_FINISH_REASONS,
    RESPONSE_ID,
    RESPONSE_MODEL,
    RESPONSE_TIME_TO_FIRST_CHUNK_S,
    USAGE_ESTIMATED,
    USAGE_PARTIAL,
    USAGE_REPORTED,
    USAGE_SOURCE,
)

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
        OPERATION: request.operation,
        **request.endpoint.attributes,
        **request.attributes,
    }
    if request.model is not None:
        attributes[REQUEST_MODEL] = request.model
    if request.chunks is not None:
        attributes[REQUEST_STREAM] = True
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

    `complete`: the call came to its own end, as far as anybody but the reply can tell.
    """
    attributes: dict[str, AttributeValue] = {**reply.counts}
    if reply.model:
        attributes[RESPONSE_MODEL] = reply.model
    if reply.id:
        attributes[RESPONSE_ID] = reply.id
    if reply.finish_reasons:
        attributes[RESPONSE_FINISH_REASONS] = reply.finish_reasons
    if reply.tier:
        attributes[tier_attribute] = reply.tier
    if reply.cost_usd is not None:
        attributes[PROVIDER_COST_USD] = reply.cost_usd
    if reply.attributes:
        attributes.update(reply.attributes)
    source = _usage_source(reply, complete, error, first_chunk_s)
    if source is not None:
        attributes[USAGE_SOURCE] = source
    if first_chunk_s is not None:
        attributes[RESPONSE_TIME_TO_FIRST_CHUNK_S] = first_chunk_s
    if error is not None:
        attributes[ERROR_TYPE] = type(error).__qualname__
    return attributes


def _usage_source(
    reply: "Reply", complete: bool, error: BaseException | None, first_chunk_s: float | None
) -> str | None:
    """Return how the usage of a call came about, None when there is nothing to say of it."""
    if not (complete if reply.ended is None else reply.ended):
        return USAGE_PARTIAL if first_chunk_s is not None or not _is_refusal(error) else None
    if MEASURED.isdisjoint(reply.counts):
        return None
    return USAGE_ESTIMATED if reply.is_estimated else USAGE_REPORTED


def _is_refusal(error: BaseException | None) -> bool:
    """Say whether the provider answered with an error: some SDKs send the request when the stream is first read.

    SDKs keep the HTTP status under one of three names.
    """
    response = getattr(error, "response", None)
    found = (getattr(error, "status_code", None), getattr(error, "code", None), getattr(response, "status_code", None))
    return any(isinstance(status, int) and status >= _LEAST_ERROR_STATUS for status in found)
