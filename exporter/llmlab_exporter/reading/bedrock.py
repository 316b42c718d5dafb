"""Model ids of Bedrock: `{vendor}.{name}-v{version}`. Some instrumentations leave the vendor out.

Source: docs.aws.amazon.com/bedrock, "Supported foundation models", November 2026.
"""

import re

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


def billed_model(asked: str, answered: str) -> str:
    """Return the model that is billed: the id that was asked for, if the answer only has the vendor's own name."""
    return asked if "." in asked and "." not in answered else full_model(answered)


def full_model(model: str) -> str:
    """Return a model's id with its vendor; a name that is no bare id of a known vendor as it is."""
    if not _BARE.fullmatch(model):
        return model
    vendor = next((vendor for family, vendor in _VENDORS if model.startswith(family)), "")
    return f"{vendor}.{model}" if vendor else model
