"""Gemini's response format, as the SDK's objects and as the JSON that they stand for.

Source: the types of `google-genai` 3.4 (`GenerateContentResponse`, `GenerateContentResponseUsageMetadata`,
`EmbedContentResponse`), and what is said at each exception below. Read 2026-11-20.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmlab.counts import counts_of
from llmlab.providers import Reply
from llmlab.usage import NO_USAGE, Usage

_SERVED_TIER = "x-gemini-service-tier"
"""The header of a response from the Gemini API; Vertex AI says it in the usage, as `traffic_type`."""

_IMAGE = ("IMAGE", "DOCUMENT")
"""A page of a document is read and billed as an image (https://ai.google.dev/gemini-api/docs/document-processing)."""

_NO_FIELDS: Mapping[str, Any] = {}
_INNER_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class GenerateChunks:
    """Reads the chunks of a stream. Each one counts all tokens up to then, so the last usage holds."""

    __slots__ = ("_candidates", "_last", "_reasons", "_usage")

    def __init__(self, candidates: int = 1) -> None:
        """`candidates` is how many answers were asked for."""
        self._candidates = candidates
        self._last: Mapping[str, Any] = _NO_FIELDS
        self._reasons: dict[int, str] = {}
        self._usage: Any = None

    def read(self, chunk: Any) -> bool:
        """Take note of a chunk."""
        fields = self._last = fields_of(chunk)
        for index, reason in _finish_reasons(fields):
            self._reasons[index] = reason
        usage = fields.get("usage_metadata")
        if usage is not None:
            self._usage = usage
        return False

    def reply(self) -> Reply:
        """Return what the chunks reported."""
        return _reply(self._last, self._usage, self._reasons).changed(ended=self._ended())

    def _ended(self) -> bool | None:
        """Say whether all answers have a reason to end and the usage came with the last one, or after it."""
        if not self._reasons and self._last.get("prompt_feedback") is None:
            return False
        is_counted = self._last.get("usage_metadata") is not None
        return True if is_counted and len(self._reasons) >= self._candidates else None


def read_response(response: Any) -> Reply:
    """Read the response of `generate_content`."""
    fields = fields_of(response)
    if not fields.get("candidates"):  # the caller may ask for the HTTP response, which the SDK leaves unread
        body = fields_of(fields.get("sdk_http_response")).get("body")
        fields = {**fields, **fields_of(json.loads(body))} if body else fields
    return _reply(fields, fields.get("usage_metadata"), dict(_finish_reasons(fields)))


def _reply(fields: Mapping[str, Any], usage: Any, finish_reasons: dict[int, str]) -> Reply:
    reasons = tuple([reason for _, reason in sorted(finish_reasons.items())])
    tier = text_of(fields_of(usage).get("traffic_type") or _tier_header(fields))
    counts = counts_of(_usage(usage))
    return Reply(fields.get("model_version"), fields.get("response_id"), reasons, counts, tier or None)


def _finish_reasons(response: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for candidate in map(fields_of, response.get("candidates") or ()):
        reason = candidate.get("finish_reason")
        if reason is not None:
            yield candidate.get("index") or 0, text_of(reason).lower()


def _tier_header(response: Mapping[str, Any]) -> str:
    headers: Mapping[str, str] = getattr(response.get("sdk_http_response"), "headers", None) or {}
    return next((value for name, value in headers.items() if name.lower() == _SERVED_TIER), "")


def _usage(metadata: Any) -> Usage:
    """Convert Gemini's usage: the prompt contains what was cached, but neither what its tools fed back to the model
    nor, on the other side, do the candidates contain the thoughts.

    Source: `GenerateContentResponseUsageMetadata` in google-genai 3.4, whose total is the sum of those four.
    """
    if metadata is None:
        return NO_USAGE
    fields = fields_of(metadata)
    read = _by_modality(fields.get("prompt_tokens_details"), fields.get("tool_use_prompt_tokens_details"))
    cached = _by_modality(fields.get("cache_tokens_details"))
    written = _by_modality(fields.get("candidates_tokens_details"))
    reasoning = fields.get("thoughts_token_count")
    return Usage(
        input=_sum(fields.get("prompt_token_count"), fields.get("tool_use_prompt_token_count")),
        output=_sum(fields.get("candidates_token_count"), reasoning),
        cache_read=fields.get("cached_content_token_count"),
        audio_in=read.get("AUDIO"),
        image_in=_sum(*map(read.get, _IMAGE)),
        video_in=read.get("VIDEO"),
        cache_read_audio=cached.get("AUDIO"),
        cache_read_image=_sum(*map(cached.get, _IMAGE)),
        reasoning=reasoning,
        audio_out=written.get("AUDIO"),
        image_out=_sum(*map(written.get, _IMAGE)),
        video_out=written.get("VIDEO"),
    )


def _by_modality(*breakdowns: Iterable[Any] | None) -> dict[str, int]:
    tokens: dict[str, int] = {}
    for count in (fields_of(count) for breakdown in breakdowns for count in breakdown or ()):
        modality = text_of(count.get("modality"))
        tokens[modality] = tokens.get(modality, 0) + (count.get("token_count") or 0)
    return tokens


def read_embeddings(response: Any) -> Reply:
    """Read the usage of the whole request where it is given, otherwise add up what Vertex AI says of each text."""
    fields = fields_of(response)
    usage = _usage(fields.get("usage_metadata"))
    if usage.input is None:
        texts = [fields_of(fields_of(embedding).get("statistics")) for embedding in fields.get("embeddings") or ()]
        tokens = [text.get("token_count") for text in texts]
        usage = Usage(input=_sum(*[int(count) for count in tokens if count is not None]))
    return Reply(counts=counts_of(usage), tier=_tier_header(fields) or None)


def _sum(*counts: int | None) -> int | None:
    """Return the sum of the counts that are known, None when none is."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def text_of(value: Any) -> str:
    """Return the text of an enumeration's member, or of a value that is none."""
    return str(getattr(value, "value", value) or "")


def fields_of(holder: Any) -> Mapping[str, Any]:
    """Return the fields of an SDK's object, or of the JSON that one stands for, by the SDK's names."""
    if holder is None:
        return _NO_FIELDS
    if isinstance(holder, dict):
        names: Mapping[str, Any] = holder
        return {_INNER_CAPITAL.sub("_", name).lower(): value for name, value in names.items()}
    return vars(holder)
