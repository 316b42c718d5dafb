"""The environment variables that change what the instrumentation does.

They are read when they matter, so that a program may set them before its first call.
"""

from os import environ

from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISABLED_INSTRUMENTATIONS

STREAM_USAGE = "LLMLAB_STREAM_USAGE"
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""OpenTelemetry's: whether prompts and answers are recorded, and where. `llmlab.capture.content` knows its values."""
TAGS = "LLMLAB_TAGS"
"""What all calls of the process are attributed to: `feature=search,team=core`."""

_OFF = frozenset({"0", "false", "no", "off"})
_NO_CONTENT = frozenset({"", "false", "no_content"})


def is_disabled(provider: str) -> bool:
    """Say whether `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` names all (`*`), us (`llmlab`) or this provider of ours."""
    named = {name.strip() for name in environ.get(OTEL_PYTHON_DISABLED_INSTRUMENTATIONS, "").split(",")}
    return not named.isdisjoint({"*", "llmlab", f"llmlab-{provider}"})


def asks_for_content() -> bool:
    """Say whether prompts and answers may be wanted: whether the variable says anything but no."""
    return environ.get(CONTENT, "").strip().lower() not in _NO_CONTENT


def asks_for_stream_usage() -> bool:
    """Say whether streams may be asked for their usage. `LLMLAB_STREAM_USAGE=false` turns it off."""
    return environ.get(STREAM_USAGE, "true").strip().lower() not in _OFF
