"""What one LLM call consumed.

Providers disagree about what a total contains: OpenAI counts cached tokens inside the prompt, Anthropic
beside it, OpenAI counts reasoning inside the completion, Gemini beside it. Whoever reads a provider's or an
instrumentation's numbers converts them to the convention of `Usage`, once, so that nobody downstream asks.
"""

from typing import NamedTuple


class Usage(NamedTuple):
    """Token counts of one call: `input` and `output` are totals, the rest are parts of them.

    This is the convention of OpenTelemetry's GenAI attributes (`gen_ai.usage.input_tokens` SHOULD include all
    cached tokens). `None` means that nobody reported the number; it never means 0. All counts are non-negative.

    A tuple rather than a dataclass: one is made per call on the exporter's hot path, and building it costs a
    third of a frozen dataclass of the same size.
    """

    input: int | None = None
    """All input tokens, cache reads and cache writes included."""
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
    audio_out: int | None = None
    """Part of `output` that is audio."""
    image_out: int | None = None
    """Part of `output` that is images."""
    video_out: int | None = None
    """Part of `output` that is video."""

    web_searches: int | None = None
    """Searches the provider ran and bills by the piece; not tokens."""

    @property
    def known(self) -> bool:
        """Whether anybody reported a total at all."""
        return self.input is not None or self.output is not None


NO_USAGE = Usage()

_PARTS: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    # a total, and the groups of parts that may not exceed it together
    ("input", (("cache_read", "cache_write"), ("audio_in", "image_in", "video_in"))),
    ("output", (("reasoning",), ("audio_out", "image_out", "video_out"))),
    ("cache_write", (("cache_write_5m", "cache_write_1h"),)),
    ("cache_read", (("cache_read_audio", "cache_read_image"),)),
    ("audio_in", (("cache_read_audio",),)),
    ("image_in", (("cache_read_image",),)),
)


def contradictions(usage: Usage) -> tuple[str, ...]:
    """Say where parts exceed their total, in words that name the numbers; empty when the usage holds together.

    A part without its total contradicts it too: a cache read of 5 in an unknown input cannot be priced.
    """
    found: list[str] = []
    for total_name, groups in _PARTS:
        total: int | None = getattr(usage, total_name)
        for group in groups:
            parts = {name: count for name in group if (count := getattr(usage, name))}
            if parts and (total is None or sum(parts.values()) > total):
                listed = " + ".join(f"{name} {count}" for name, count in parts.items())
                found.append(f"{listed} in {total_name} {'unknown' if total is None else total}")
    return tuple(found)
