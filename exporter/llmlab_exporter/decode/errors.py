"""Why an export request cannot be read.

ValueError
+-- MalformedRequest         the body is not what its content type says
+-- UnsupportedContentType   OTLP has no such encoding
+-- MalformedSpan            one span is not; stays inside the decoders, which name the span in `Decoded.broken`
"""


class MalformedRequest(ValueError):
    """The request as a whole cannot be read; the message says where and what would be right."""


class UnsupportedContentType(ValueError):
    """The content type is neither that of OTLP/protobuf nor that of OTLP/JSON."""


class MalformedSpan(ValueError):
    """One span cannot be read; its neighbours can."""
