"""`POST /images/generations`, `/images/edits` and `/audio/...`: a fixed result, and usage as dictated."""

import json
from collections.abc import AsyncIterator, Mapping
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from fake_provider.book import Book
from fake_provider.openai.errors import behaviour, failure, refusal
from fake_provider.wire import TruncatedResponse, event

Fields = Mapping[str, Any]

_PIXEL = "iVBORw0KGgo="
_TEXT = "one two three"
_AUDIO_S = 7
_IMAGE_USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"image_tokens": 40, "text_tokens": 10},
    "output_tokens": 272,
    "output_tokens_details": {"image_tokens": 272, "text_tokens": 0},
    "total_tokens": 322,
}
_TOKEN_USAGE = {
    "type": "tokens",
    "input_tokens": 70,
    "input_token_details": {"audio_tokens": 65, "text_tokens": 5},
    "output_tokens": 3,
    "total_tokens": 73,
}
_SPEECH_USAGE = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
_TIME_USAGE = {"type": "duration", "seconds": _AUDIO_S}


class MediaEndpoint:
    """Answers requests for images and transcriptions, and bills them."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def images(self, request: Request) -> Response:
        """Make images; the models `dall-e` are billed by the image and report no usage."""
        exchange = await self._book.receive(request)
        fields = exchange.body or _form(request, await request.body())
        model: str = fields.get("model") or "dall-e-2"
        manner = behaviour(exchange, model)
        if (failed := failure(manner)) is not None:
            return failed
        by_piece = model.startswith("dall-e")
        usage = {} if by_piece else _dictated(_IMAGE_USAGE, exchange.headers)
        made = int(fields.get("n") or 1)
        exchange.bill(model, {"images": made} if by_piece else usage)
        style = {} if by_piece else _style(fields)
        if _is_true(fields.get("stream")):
            return _stream(_image_events(request.url.path, made, int(exchange.at), style, usage), manner)
        data = [{"b64_json": _PIXEL}] * made
        return JSONResponse({"created": int(exchange.at), "data": data, **style, **({"usage": usage} if usage else {})})

    async def transcribe(self, request: Request) -> Response:
        """Transcribe; `whisper` is billed by time, other models by tokens."""
        exchange = await self._book.receive(request)
        fields = _form(request, await request.body())
        model: str = fields["model"]
        manner = behaviour(exchange, model)
        if (failed := failure(manner)) is not None:
            return failed
        if "file" not in fields:
            return refusal("Missing required parameter: 'file'.", "file")
        usage = _dictated(_TIME_USAGE if model.startswith("whisper") else _TOKEN_USAGE, exchange.headers)
        exchange.bill(model, usage)
        if fields.get("response_format") in {"text", "srt", "vtt"}:
            return PlainTextResponse(_TEXT)
        if not _is_true(fields.get("stream")):
            return JSONResponse({"text": _TEXT, "usage": usage})
        delta = {"type": "transcript.text.delta", "delta": _TEXT}
        return _stream([delta, {"type": "transcript.text.done", "text": _TEXT, "usage": usage}], manner)

    async def translate(self, request: Request) -> Response:
        """Translate; billed by time, which is not reported."""
        exchange = await self._book.receive(request)
        fields = _form(request, await request.body())
        model: str = fields["model"]
        if (failed := failure(behaviour(exchange, model))) is not None:
            return failed
        exchange.bill(model, _TIME_USAGE)
        return PlainTextResponse(_TEXT) if fields.get("response_format") == "text" else JSONResponse({"text": _TEXT})

    async def speak(self, request: Request) -> Response:
        """Speak; `tts` is billed by the character, other models by tokens. Only events report that."""
        exchange = await self._book.receive(request)
        fields = exchange.body
        model: str = fields["model"]
        manner = behaviour(exchange, model)
        if (failed := failure(manner)) is not None:
            return failed
        if not fields.get("input"):
            return refusal("Missing required parameter: 'input'.", "input")
        by_character, in_events = model.startswith("tts"), fields.get("stream_format") == "sse"
        if by_character and in_events:
            return refusal(f"stream_format 'sse' is not supported for {model}.", "stream_format")
        exchange.bill(model, {"characters": len(fields["input"])} if by_character else _SPEECH_USAGE)
        if not in_events:
            return _audio(manner)
        deltas = [{"type": "speech.audio.delta", "audio": _PIXEL * 500} for _ in range(4)]
        return _stream([*deltas, {"type": "speech.audio.done", "usage": _SPEECH_USAGE}], manner)


def _style(fields: Fields) -> dict[str, Any]:
    """Return what a GPT image model says of the images it made, with its own choice where it had one."""
    chosen = {"background": "opaque", "output_format": "png", "quality": "medium", "size": "1024x1024"}
    return {name: choice if fields.get(name) in (None, "auto") else fields[name] for name, choice in chosen.items()}


def _image_events(
    path: str, made: int, created_at: int, style: dict[str, Any], usage: dict[str, Any]
) -> list[dict[str, Any]]:
    """Write for each image a partial one and the one that completes it, which has the usage if there is any."""
    kind = "image_edit" if path.endswith("/edits") else "image_generation"
    image = {"b64_json": _PIXEL, "created_at": created_at, **style}
    partial = {"type": f"{kind}.partial_image", "partial_image_index": 0, **image}
    completed = {"type": f"{kind}.completed", **image, **({"usage": usage} if usage else {})}
    return [partial, completed] * made


def _audio(manner: str) -> Response:
    is_cut = manner == "truncated"

    async def written() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"\xff\xfb\x90\x00" * 250

    return (TruncatedResponse if is_cut else StreamingResponse)(written(), media_type="audio/mpeg")


def _stream(events: list[dict[str, Any]], manner: str) -> Response:
    is_cut = manner == "truncated"

    async def written() -> AsyncIterator[bytes]:
        for each in events[:-1] if is_cut else events:
            yield event(each)

    return (TruncatedResponse if is_cut else StreamingResponse)(written(), media_type="text/event-stream")


def _dictated(usage: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """Return the usage that the header `x-fake-usage` dictates, in the words of this API, or else the usual one."""
    return json.loads(headers["x-fake-usage"]) if "x-fake-usage" in headers else usage


def _form(request: Request, raw: bytes) -> Fields:
    """Read a form with files (`multipart/form-data`), which is written like a mail with parts."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + raw).iter_parts()
    return {
        str(part.get_param("name", header="content-disposition")): (
            part.get_payload(decode=True) if part.get_filename() else str(part.get_payload()).strip()
        )
        for part in parts
    }


def _is_true(value: Any) -> bool:
    return value in (True, "true")
