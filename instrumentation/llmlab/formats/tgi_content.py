"""Prompts and answers of Hugging Face's server for text generation (TGI), as `text_generation` has them.

Source: the types of `huggingface_hub` 2.4 (`TextGenerationOutput`, `TextGenerationStreamOutput`).
"""

from typing import Any

from llmlab.capture.content_json import plain
from llmlab.providers import Asked, ContentFormat, Message


def _asked(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Asked | None:
    prompt = keywords.get("prompt", arguments[0] if arguments else None)
    if not isinstance(prompt, str):
        return None
    return Asked([{"role": "user", "parts": [{"type": "text", "content": prompt}]}])


def _said(output: Any) -> list[Message]:
    text = output if isinstance(output, str) else getattr(output, "generated_text", None)
    return _answer(text) if isinstance(text, str) else []


def _answer(text: str) -> list[Message]:
    return [{"role": "assistant", "parts": [{"type": "text", "content": text}]}] if text else []


class GenerationContent:
    """Puts a streamed text together."""

    def __init__(self) -> None:
        self._text = ""

    def read(self, chunk: Any) -> None:
        """Take note of a token, which is a mere string without details. Special ones are no part of the text."""
        if isinstance(chunk, str):
            self._text += chunk
            return
        fields: dict[str, Any] = plain(getattr(chunk, "token", None)) or {}
        if not fields.get("special"):
            self._text += fields.get("text") or ""

    def messages(self) -> list[Message]:
        """Return what was said so far."""
        return _answer(self._text)


GENERATION = ContentFormat(_asked, _said, GenerationContent)
