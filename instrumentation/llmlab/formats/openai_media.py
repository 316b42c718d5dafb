"""What OpenAI reports for images, transcriptions and speech: usage like that of responses, but neither model nor id.

Sources: the types of `openai` 3.52 (`ImagesResponse`, `Transcription`, and the events of their streams); for speech,
whose events the SDK has no types for, OpenAI's API reference (`SpeechAudioDoneEvent`). Read 2026-11-21.
"""

import json
from collections.abc import Callable
from typing import Any

from llmlab.formats.openai import fields_of
from llmlab.formats.openai_responses import read_usage
from llmlab.providers import Reply
from llmlab.usage import Usage


def read_images(images: Any) -> Reply:
    """Read generated images. Models that are billed by the image report no usage: then the images are counted."""
    fields = fields_of(images)
    usage = fields.get("usage")
    if usage is None:
        made = fields.get("data")
        return Reply(usage=Usage(images=len(made))) if made else Reply()
    counts = read_usage(usage)
    if fields_of(usage).get("output_tokens_details") is None:
        # Where the details are missing, all output is documented as "the number of image tokens in the output image".
        counts = counts._replace(image_out=counts.output)
    return Reply(usage=counts)


def read_transcription(transcription: Any) -> Reply:
    """Read a transcription, which is billed by tokens or by time. As text or subtitles it is a bare string."""
    return Reply() if isinstance(transcription, str) else Reply(usage=read_usage(fields_of(transcription).get("usage")))


_TAIL_BYTES = 4096
"""The event that ends a speech is far shorter. Before it come megabytes of audio."""


def read_speech(speech: Any) -> Reply:
    """Read synthesised speech: audio, which says nothing, or events (`stream_format="sse"`), the last with the usage.

    Some models are billed by the character of the text. Nobody reports that number, but the request has the text.
    """
    http = speech.response
    if "event-stream" in http.headers.get("content-type", ""):
        usage = read_usage(_usage_at_the_end(speech.content))
        return Reply(usage=usage, ended=usage.known)
    text = json.loads(http.request.content).get("input")
    return Reply(usage=Usage(characters=len(text)), is_estimated=True) if isinstance(text, str) else Reply()


def _usage_at_the_end(events: bytes) -> Any:
    for line in reversed(events[-_TAIL_BYTES:].splitlines()):
        if line.startswith(b"data:") and b'"usage"' in line:
            return json.loads(line.removeprefix(b"data:")).get("usage")
    return None


class MediaEvents:
    """Reads the events of a streamed image or transcription: the one that completes it has the usage."""

    __slots__ = ("_completed", "_read")

    def __init__(self, read: Callable[[Any], Reply]) -> None:
        """`read` reads the event that completes it, which has the fields of the whole result."""
        self._read = read
        self._completed: Any = None

    def read(self, chunk: Any) -> bool:
        """Take note of an event."""
        if chunk.type.endswith((".completed", "text.done")):
            self._completed = chunk
        return False

    def reply(self) -> Reply:
        """Return what the completing event reported."""
        return self._read(self._completed)._replace(ended=self._completed is not None)
