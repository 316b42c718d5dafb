"""What the price of one image depends on: its quality and its size.

On a span each has an attribute of its own. Where prices are looked up, both are one text in the place of the service
tier that other calls have, such as `hd 1024x1792`: a size has the form `WIDTHxHEIGHT`, any other word is a quality.
What nobody said is left out, and `auto` says nothing.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from llmlab import semconv

_SIZE = re.compile(r"\d+x\d+")
_UNSAID = frozenset({"", "auto"})


class ImageKind(NamedTuple):
    """The quality and the size of an image, each "" where it is not known."""

    quality: str = ""
    size: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, self))

    @property
    def attributes(self) -> dict[str, str]:
        """What of it is known, as attributes of a span."""
        named = {semconv.IMAGE_QUALITY: self.quality, semconv.IMAGE_SIZE: self.size}
        return {name: value for name, value in named.items() if value}

    def or_else(self, other: "ImageKind") -> "ImageKind":
        """Return the same with what is not known taken from another."""
        return ImageKind(self.quality or other.quality, self.size or other.size)


def kind_of(quality: object, size: object) -> ImageKind:
    """Return the kind that the fields of a request or a response tell."""
    return ImageKind(_said(quality), _said(size))


def kind_on(attributes: Mapping[str, object]) -> ImageKind:
    """Return the kind that the attributes of a span or of a reply tell."""
    return kind_of(attributes.get(semconv.IMAGE_QUALITY), attributes.get(semconv.IMAGE_SIZE))


def read_kind(text: str) -> ImageKind:
    """Read a kind from words in any order. Raises ValueError when there are two sizes or two qualities."""
    words = [_said(word) for word in text.split()]
    sizes = [word for word in words if _SIZE.fullmatch(word)]
    qualities = [word for word in words if word and word not in sizes]
    if len(sizes) > 1 or len(qualities) > 1:
        raise ValueError(f"{text!r} does not name one quality and one size, such as 'high 1536x1024'")
    return ImageKind("".join(qualities), "".join(sizes))


def _said(value: object) -> str:
    word = value.strip().lower() if isinstance(value, str) else ""
    return "" if word in _UNSAID else word
