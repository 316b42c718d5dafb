"""The names of the attributes on our spans.

`gen_ai.*`, `openai.*`, `server.*` and `error.*` follow OpenTelemetry's GenAI conventions: repository
open-telemetry/semantic-conventions-genai, `docs/gen-ai/gen-ai-spans.md` and `docs/gen-ai/openai.md`, read 2026-11-20.
The constants of the package `opentelemetry-semantic-conventions` are deprecated as moved and lack the newer names.
`llmlab.*` is ours, for what the conventions do not say.

Who writes spans and who reads them take the strings from here, so this module imports nothing.
"""

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
"""True on streamed calls, absent on others."""
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_TOP_P = "gen_ai.request.top_p"
REQUEST_CHOICE_COUNT = "gen_ai.request.choice.count"
REQUEST_REASONING_LEVEL = "gen_ai.request.reasoning.level"
AGENT_NAME = "gen_ai.agent.name"
TOOL_NAME = "gen_ai.tool.name"
EMBEDDINGS_DIMENSIONS = "gen_ai.embeddings.dimension.count"

RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK_S = "gen_ai.response.time_to_first_chunk"
"""Seconds, as a double."""

INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
TOOL_DEFINITIONS = "gen_ai.tool.definitions"

SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
ERROR_TYPE = "error.type"
COUNT_TYPE = "gen_ai.token.type"
"""On the metric that counts tokens: `input` or `output`."""

OPENAI_API_TYPE = "openai.api.type"
OPENAI_REQUEST_SERVICE_TIER = "openai.request.service_tier"
OPENAI_RESPONSE_SERVICE_TIER = "openai.response.service_tier"

USAGE_ATTRIBUTES = {
    "input": "gen_ai.usage.input_tokens",
    "output": "gen_ai.usage.output_tokens",
    "cache_read": "gen_ai.usage.cache_read.input_tokens",
    "cache_write": "gen_ai.usage.cache_write.input_tokens",
    "cache_write_5m": "llmlab.usage.cache_write_5m.input_tokens",
    "cache_write_1h": "llmlab.usage.cache_write_1h.input_tokens",
    "audio_in": "gen_ai.usage.audio.input_tokens",
    "image_in": "gen_ai.usage.image.input_tokens",
    "video_in": "llmlab.usage.video.input_tokens",
    "cache_read_audio": "gen_ai.usage.audio.cache_read.input_tokens",
    "cache_read_image": "gen_ai.usage.image.cache_read.input_tokens",
    "reasoning": "gen_ai.usage.reasoning.output_tokens",
    "citation": "llmlab.usage.citation.output_tokens",
    "audio_out": "gen_ai.usage.audio.output_tokens",
    "image_out": "gen_ai.usage.image.output_tokens",
    "video_out": "llmlab.usage.video.output_tokens",
    "audio_ms": "llmlab.usage.audio_ms",
    "characters": "llmlab.usage.characters",
    "pages": "llmlab.usage.pages",
    "annotated_pages": "llmlab.usage.annotated_pages",
    "rerank_searches": "llmlab.usage.rerank_searches",
    "text_messages": "llmlab.usage.text_messages",
    "images": "llmlab.usage.images",
    "web_searches": "llmlab.usage.web_searches",
    "file_searches": "llmlab.usage.file_searches",
}
"""Every field of `llmlab.usage.Usage`, and the attribute that carries it.

The conventions had video tokens in a draft and dropped them, and they know neither the lifetimes of cache writes nor
anything that is billed by the piece: those are ours.
"""

USAGE_SOURCE = "llmlab.usage.source"
"""How the token counts came about: one of the three values below. Absent when the provider reported nothing."""
USAGE_REPORTED = "reported"
USAGE_PARTIAL = "partial"
"""The stream was broken off, so more may be billed than is known."""
USAGE_ESTIMATED = "estimated"

PROVIDER_COST_USD = "llmlab.cost.provider_usd"
"""What the provider itself said the call costs, in USD, as a plain decimal string."""
TIER = "llmlab.tier"
"""The served tier, for providers whose tier the conventions do not name."""
IMAGE_QUALITY = "llmlab.image.quality"
IMAGE_SIZE = "llmlab.image.size"
"""What images that are billed by the piece are priced by: as the response says it, or else as it was asked for."""
BATCH = "llmlab.batch"
"""True when the call is billed as part of a batch."""

TRACK_SCOPE = "llmlab.track"
"""The instrumentation scope of calls that the application reports itself, and of the blocks of `track_cost`."""

FEATURE = "llmlab.feature"
USER = "llmlab.user"
RUN = "llmlab.run"
SESSION = "llmlab.session"
PROJECT = "llmlab.project"
ORG = "llmlab.org"
TAG_PREFIX = "llmlab.tag."
"""Begins the names of tags that the user invents."""
LEASE_ID = "llmlab.lease_id"
"""The reservation in a budget that the call was made under."""
