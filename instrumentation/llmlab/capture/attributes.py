"""Requests and replies as span attributes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmlab import semconv
from llmlab.usage import Usage

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from llmlab.providers import Reply, Request

_PLAIN = (int, float, str)
_USAGE_NAMES = tuple(semconv.USAGE_ATTRIBUTES[field] for field in Usage._fields)


def of_parameters(parameters: Mapping[str, Any], names: Mapping[str, str]) -> "dict[str, AttributeValue]":
    """Return the parameters of a call that `names` gives an attribute.

    Those left out are None or one of the SDK's markers.
    """
    return {names[name]: value for name, value in parameters.items() if name in names and isinstance(value, _PLAIN)}


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


def of_reply(reply: "Reply", tier_attribute: str) -> "dict[str, AttributeValue]":
    """Return the attributes that the response or the stream gave. Counts of 0 are known and stay."""
    attributes: dict[str, AttributeValue] = {
        name: count for name, count in zip(_USAGE_NAMES, reply.usage, strict=True) if count is not None
    }
    if reply.model:
        attributes[semconv.RESPONSE_MODEL] = reply.model
    if reply.id:
        attributes[semconv.RESPONSE_ID] = reply.id
    if reply.finish_reasons:
        attributes[semconv.RESPONSE_FINISH_REASONS] = reply.finish_reasons
    if reply.tier:
        attributes[tier_attribute] = reply.tier
    if reply.cost_usd is not None:
        attributes[semconv.PROVIDER_COST_USD] = reply.cost_usd
    if reply.attributes:
        attributes.update(reply.attributes)
    return attributes
