"""How genai-prices' units of usage and the fields of `llmlab.usage.Usage` correspond.

Every unit of the library stands here once: with the field that counts it, or with the reason why none does.
"""

FIELDS = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "cache_write_5m_tokens": "cache_write_5m",
    "cache_write_1h_tokens": "cache_write_1h",
    "input_audio_tokens": "audio_in",
    "input_image_tokens": "image_in",
    "input_video_tokens": "video_in",
    "cache_audio_read_tokens": "cache_read_audio",
    "cache_image_read_tokens": "cache_read_image",
    "output_reasoning_tokens": "reasoning",
    "output_citation_tokens": "citation",
    "output_audio_tokens": "audio_out",
    "output_image_tokens": "image_out",
    "output_video_tokens": "video_out",
    "audio_seconds": "audio_ms",
    "input_characters": "characters",
    "input_document_pages": "pages",
    "input_annotated_document_pages": "annotated_pages",
    "rerank_searches": "rerank_searches",
    "input_text_messages": "text_messages",
    "web_searches": "web_searches",
    "storage_searches": "file_searches",
}
"""The library's unit of usage, and the field that counts it."""

OWN_UNITS = {"images": {"per": 1000, "price_key": "images_kcount", "dimensions": {"family": "images"}}}
"""Units that the library has not, in its form: only `prices.yaml` has prices for them."""

ALL_FIELDS = {**FIELDS, "images": "images"}
"""The library's units and ours."""

PER_FIELD_UNIT = {"audio_ms": 1000}
"""How many of the field make one of the library's unit; 1 for all others."""

PER_REQUEST = "requests"
"""The unit of which every call is one."""

_TEXT = "text is what remains of the total: no price sets it apart"
_TOOL = "part of the input, and no price sets it apart"
_CACHE = "no provider reports the cache at this depth"
_DEPTH = "no provider reports the output at this depth"
_NO_PRICE = "no model in the catalogue has a price for it"

UNMAPPED = {
    "input_text_tokens": _TEXT,
    "output_text_tokens": _TEXT,
    "cache_text_read_tokens": _TEXT,
    "cache_text_write_tokens": _TEXT,
    "cache_text_write_5m_tokens": _TEXT,
    "cache_text_write_1h_tokens": _TEXT,
    "cache_audio_write_tokens": _CACHE,
    "cache_audio_write_5m_tokens": _CACHE,
    "cache_audio_write_1h_tokens": _CACHE,
    "cache_image_write_tokens": _CACHE,
    "cache_image_write_5m_tokens": _CACHE,
    "cache_image_write_1h_tokens": _CACHE,
    "cache_video_read_tokens": _NO_PRICE,
    "cache_video_write_tokens": _CACHE,
    "cache_video_write_5m_tokens": _CACHE,
    "cache_video_write_1h_tokens": _CACHE,
    "input_tool_tokens": _TOOL,
    "input_text_tool_tokens": _TOOL,
    "input_audio_tool_tokens": _TOOL,
    "input_image_tool_tokens": _TOOL,
    "input_video_tool_tokens": _TOOL,
    "output_text_reasoning_tokens": _DEPTH,
    "output_audio_reasoning_tokens": _DEPTH,
    "output_image_reasoning_tokens": _DEPTH,
    "output_video_reasoning_tokens": _DEPTH,
    "output_text_citation_tokens": _DEPTH,
    "output_audio_citation_tokens": _DEPTH,
    "output_image_citation_tokens": _DEPTH,
    "output_video_citation_tokens": _DEPTH,
    "input_audio_seconds": "wherever it has a price, `audio_seconds` has the same one and counts the same audio",
    "output_audio_seconds": _NO_PRICE,
    "input_pixels": _NO_PRICE,
    "social_searches": _NO_PRICE,
    "code_executions": _NO_PRICE,
    PER_REQUEST: "not reported: every call is one",
}
"""Units that no field counts, and why. Should one of them get a price, the total that contains it is still charged."""
