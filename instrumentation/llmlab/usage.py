"""What one LLM call consumed.

Providers disagree about what a total contains: OpenAI counts cached tokens inside the prompt, Anthropic
beside it, OpenAI counts reasoning inside the completion, Gemini beside it. Whoever reads a provider's or an
instrumentation's numbers converts them to the convention of `Usage`, once, so that nobody downstream asks.
"""

from typing import NamedTuple


class Usage(NamedTuple):
    """Counts of one call: `input` and `output` are totals, the token counts below them are parts of them.

    This is the convention of OpenTelemetry's GenAI attributes (`gen_ai.usage.input_tokens` SHOULD include all
    cached tokens). `None` means that nobody reported the number; it never means 0. All counts are non-negative.
    A field exists for what some provider reports and some price list charges by; which unit of the price
    catalogue it stands for says `llmlab.pricing.catalogue.units`.

    A tuple rather than a dataclass: one is made per call on the exporter's hot path, and building it costs a
    third of a frozen dataclass of the same size.
    """

    input: int | None = None
    """All input tokens, cache reads, cache writes and what tools fed back included."""
    output: int | None = None
    """All output tokens, reasoning included."""

    cache_read: int | None = None
    """Part of `input` that was read from the provider's prompt cache."""
    cache_write: int | None = None
    """Part of `input` that was written to the provider's prompt cache, all times to live together."""
    cache_write_5m: int | None = None
    """Part of `cache_write` that lives five minutes."""
    cache_write_1h: int | None = None
    """Part of `cache_write` that lives one hour."""
    audio_in: int | None = None
    """Part of `input` that is audio."""
    image_in: int | None = None
    """Part of `input` that is images."""
    video_in: int | None = None
    """Part of `input` that is video."""
    cache_read_audio: int | None = None
    """Part of both `cache_read` and `audio_in`."""
    cache_read_image: int | None = None
    """Part of both `cache_read` and `image_in`."""

    reasoning: int | None = None
    """Part of `output` that the model thought and did not show."""
    citation: int | None = None
    """Part of `output` that quotes sources and has a price of its own (Perplexity)."""
    audio_out: int | None = None
    """Part of `output` that is audio."""
    image_out: int | None = None
    """Part of `output` that is images."""
    video_out: int | None = None
    """Part of `output` that is video."""

    audio_ms: int | None = None
    """Milliseconds of audio, where a provider bills time instead of tokens (transcription, live voice)."""
    characters: int | None = None
    """Characters of input, where a provider bills those (speech synthesis)."""
    pages: int | None = None
    """Pages of documents that were read (OCR)."""
    annotated_pages: int | None = None
    """Part of `pages` that was annotated as well."""
    rerank_searches: int | None = None
    """Search units of a rerank call (Cohere)."""
    text_messages: int | None = None
    """Text messages in a live voice session, where they are billed by the piece (xAI)."""
    images: int | None = None
    """Images that were made, where a provider bills those by the piece instead of their tokens."""

    web_searches: int | None = None
    """Web searches the provider ran and bills by the piece, beside the tokens."""
    file_searches: int | None = None
    """Searches in files stored at the provider, billed by the piece, beside the tokens."""

    @property
    def known(self) -> bool:
        """Whether anybody reported how much the model worked at all; tool calls alone do not say that."""
        return (
            self.input is not None
            or self.output is not None
            or any(getattr(self, measure) is not None for measure in MEASURES)
        )


MEASURES = ("input", "output", "audio_ms", "characters", "pages", "rerank_searches", "text_messages", "images")
"""The fields that measure the work itself, each in a unit of its own."""

EXTRAS = ("web_searches", "file_searches")
"""The fields that are billed beside whatever measures the work."""

NO_USAGE = Usage()

_PARTS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    # a total, and the groups of parts that may not exceed it together: the members of a group exclude each other
    ("input", (("cache_read", "cache_write"), ("audio_in", "image_in", "video_in"))),
    ("output", (("reasoning", "citation"), ("audio_out", "image_out", "video_out"))),
    ("cache_write", (("cache_write_5m", "cache_write_1h"),)),
    ("cache_read", (("cache_read_audio", "cache_read_image"),)),
    ("audio_in", (("cache_read_audio",),)),
    ("image_in", (("cache_read_image",),)),
    ("pages", (("annotated_pages",),)),
)


def contradictions(usage: Usage) -> tuple[str, ...]:
    """Say where parts exceed their total, in words that name the numbers; empty when the usage holds together.

    A part without its total contradicts it too: a cache read of 5 in an unknown input cannot be priced.
    Parts that may overlap (cached audio) are each held against the total, not their sum.
    """
    found = [f"{name} {count} is negative" for name, count in usage._asdict().items() if count and count < 0]
    for total_name, groups in _PARTS:
        total: int | None = getattr(usage, total_name)
        for group in groups:
            parts = {name: count for name in group if (count := getattr(usage, name))}
            if parts and (total is None or sum(parts.values()) > total):
                listed = " + ".join(f"{name} {count}" for name, count in parts.items())
                found.append(f"{listed} in {total_name} {'unknown' if total is None else total}")
    return tuple(found)
