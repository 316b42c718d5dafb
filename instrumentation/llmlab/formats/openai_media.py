"""What OpenAI reports for images, transcriptions and speech: usage like that of responses, but neither model nor id.

Sources: the types of `openai` 3.52 (`ImagesResponse`, `Transcription`, and the events of their streams); for speech,
whose events the SDK has no types for, OpenAI's API reference (`SpeechAudioDoneEvent`). Read 2026-11-21.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmlab.counts import counts_of
from llmlab.formats.openai import count_of, fields_of
from llmlab.formats.openai_responses import read_usage
from llmlab.image_kind import kind_of
from llmlab.providers import Reply
from llmlab.usage import Usage


def read_images(images: Any) -> Reply:
    """Read generated images. Models that are billed by the image report no usage: then the images are counted."""
    fields = fields_of(images)
    if fields.get("usage") is None:
        return _counted(fields, len(fields.get("data") or ()))
    reply = Reply(model=fields.get("model"), counts=counts_of(_billed(fields["usage"])))
    written = fields_of(fields.get("svg_usage"))
    if not written:
        return reply
    usage = read_usage(written)._replace(reasoning=count_of(written, "reasoning_tokens"))
    return reply.changed(further=(Reply(model=written.get("model"), counts=counts_of(usage)),))


def _counted(fields: Mapping[str, Any], images: int) -> Reply:
    if not images:
        return Reply()
    kind = kind_of(fields.get("quality"), fields.get("size"))
    return Reply(fields.get("model"), counts=counts_of(Usage(images=images)), attributes=kind.attributes)


def _billed(usage: Any) -> Usage:
    counts = read_usage(usage)
    if fields_of(usage).get("output_tokens_details") is None:
        # Where the details are missing, all output is documented as "the number of image tokens in the output image".
        return counts._replace(image_out=counts.output)
    return counts


def read_transcription(transcription: Any) -> Reply:
    """Read a transcription, which is billed by tokens or by time. As text or subtitles it is a bare string."""
    if isinstance(transcription, str):
        return Reply()
    return Reply().with_usage(read_usage(fields_of(transcription).get("usage")))


_TAIL_BYTES = 4096
"""The event that ends a speech is far shorter. Before it come megabytes of audio."""


def read_speech(speech: Any) -> Reply:
    """Read synthesised speech: audio, which says nothing, or events (`stream_format="sse"`), the last with the usage.

    Some models are billed by the character of the text. Nobody reports that number, but the request has the text.
    """
    http = speech.response
    if "event-stream" in http.headers.get("content-type", ""):
        usage = read_usage(_usage_at_the_end(speech.content))
        return Reply(counts=counts_of(usage), ended=usage.known)
    text = json.loads(http.request.content).get("input")
    return Reply(counts=counts_of(Usage(characters=len(text))), is_estimated=True) if isinstance(text, str) else Reply()


def _usage_at_the_end(events: bytes) -> Any:
    for line in reversed(events[-_TAIL_BYTES:].splitlines()):
        if line.startswith(b"data:") and b'"usage"' in line:
            return json.loads(line.removeprefix(b"data:")).get("usage")
    return None


class TranscriptionEvents:
    """Reads the events of a streamed transcription: the one that completes it has the usage."""

    __slots__ = ("_completed",)

    def __init__(self) -> None:
        self._completed: Any = None

    def read(self, chunk: Any) -> bool:
        """Take note of an event."""
        if chunk.type.endswith("text.done"):
            self._completed = chunk
        return False

    def reply(self) -> Reply:
        """Return what the completing event reported."""
        return read_transcription(self._completed).changed(ended=self._completed is not None)


class ImageEvents:
    """Reads the events of streamed images: each image has one that completes it, and that has its usage."""

    __slots__ = ("_images", "_last", "_usages", "_wanted")

    def __init__(self, wanted: int) -> None:
        """`wanted` is how many images were asked for."""
        self._wanted = wanted
        self._images = 0
        self._usages: list[Usage] = []
        self._last: Mapping[str, Any] = {}

    def read(self, chunk: Any) -> bool:
        """Take note of an event, and keep nothing of the image."""
        if chunk.type.endswith(".completed"):
            fields = fields_of(chunk)
            self._images += 1
            self._last = {name: fields.get(name) for name in ("model", "quality", "size")}
            if fields.get("usage") is not None:
                self._usages.append(_billed(fields["usage"]))
        return False

    def reply(self) -> Reply:
        """Return what the images consumed together; of what use nobody reported, they are counted.

        No source says whether a second image's usage repeats the prompt, so that a sum is an estimate.
        """
        if not self._images:
            return Reply(ended=False)
        ended = True if self._images >= self._wanted else None
        if len(self._usages) < self._images:
            return _counted(self._last, self._images).changed(ended=ended)
        reply = Reply(self._last.get("model"), is_estimated=self._images > 1, ended=ended)
        return reply.with_usage(_sum(self._usages))


def _sum(usages: Sequence[Usage]) -> Usage:
    columns = ([count for count in counts if count is not None] for counts in zip(*usages, strict=True))
    return Usage(*(sum(counts) if counts else None for counts in columns))
