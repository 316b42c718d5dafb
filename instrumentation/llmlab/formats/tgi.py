"""The format in which Hugging Face's server for text generation (TGI) answers `generate`.

Source: the types of `huggingface_hub` 2.4 (`TextGenerationOutputDetails`, `TextGenerationStreamOutputStreamDetails`).
Read 2026-11-20.
"""

from typing import Any

from llmlab.counts import counts_of
from llmlab.formats.openai import fields_of
from llmlab.providers import Reply
from llmlab.usage import Usage


class GenerationChunks:
    """Reads the tokens of a generated text. The last one carries the details, if they were asked for."""

    __slots__ = ("_details",)

    def __init__(self) -> None:
        self._details: Any = None

    def read(self, token: Any) -> bool:
        """Take note of a token, which is a mere string without details."""
        if isinstance(token, dict):
            self._details = fields_of(token).get("details") or self._details
        return False

    def reply(self) -> Reply:
        """Return what the last token reported."""
        return _read(self._details).changed(ended=True if self._details else None)


def read_generation(output: Any) -> Reply:
    """Read a generated text, which is a mere string without details."""
    return _read(fields_of(output).get("details") if isinstance(output, dict) else None)


def _read(details: Any) -> Reply:
    """Read the details. A stream counts the tokens of the prompt; otherwise they are listed, if the caller says so."""
    fields = fields_of(details)
    reason, prompt = fields.get("finish_reason"), fields.get("prefill")
    counted = fields.get("input_length")
    usage = Usage(input=len(prompt) if counted is None and prompt else counted, output=fields.get("generated_tokens"))
    return Reply(finish_reasons=(str(reason),) if reason else (), counts=counts_of(usage))
