"""Model ids of Bedrock: `{vendor}.{name}-v{version}`. Some instrumentations leave the vendor out.

Source: docs.aws.amazon.com/bedrock, "Supported foundation models", November 2026.
"""

import re

from llmlab_exporter.call import Reading

_SELLERS = ("aws", "bedrock")
"""In what instrumentations call the provider."""

_VENDORS = (
    ("claude", "anthropic"),
    ("command", "cohere"),
    ("embed-", "cohere"),
    ("jamba", "ai21"),
    ("llama", "meta"),
    ("ministral", "mistral"),
    ("mistral", "mistral"),
    ("mixtral", "mistral"),
    ("nova", "amazon"),
    ("pixtral", "mistral"),
    ("titan", "amazon"),
)
"""By how a model's name begins."""

_BARE = re.compile(r"[a-z][a-z0-9-]*-v\d+(:\d+)?")


def with_full_names(reading: Reading, asked: str = "") -> Reading:
    """Name the models of a call at Bedrock in full; any other call as it is. `asked` if the request says so itself."""
    if not any(name in reading.provider.lower() for name in _SELLERS):
        return reading
    asked = full_model(asked or reading.request_model)
    return reading._replace(request_model=asked, response_model=billed_model(asked, reading.response_model))


def billed_model(asked: str, answered: str) -> str:
    """Return the model that is billed: the id that was asked for, if the answer only has the vendor's own name."""
    return asked if "." in asked and "." not in answered else full_model(answered)


def full_model(model: str) -> str:
    """Return a model's id with its vendor; a name that is no bare id of a known vendor as it is."""
    if not _BARE.fullmatch(model):
        return model
    vendor = next((vendor for family, vendor in _VENDORS if model.startswith(family)), "")
    return f"{vendor}.{model}" if vendor else model
