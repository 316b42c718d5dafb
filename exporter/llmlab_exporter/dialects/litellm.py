"""LiteLLM's own callback, in the library and in its proxy.

It writes all it knows on a span of its own or, where the application has one open, on that one, so that a second call
overwrites the first; a span below it named `raw_gen_ai_request` keeps each provider's answer. Its version 2 follows
the conventions. Recorded: 1.106.2, both.
"""

from base64 import b64decode
from binascii import Error as Base64Error

from llmlab_exporter.call import PROVIDER_ANSWERED, Reading
from llmlab_exporter.dialect import Dialect
from llmlab_exporter.reading import conventions, doubts, spellings
from llmlab_exporter.reading.blobs import fields_of
from llmlab_exporter.reading.counts import completed
from llmlab_exporter.reading.native import read_native
from llmlab_exporter.reading.values import host_of, text
from llmlab_exporter.span import Attributes, RawSpan, Scope

_USAGE = "metadata.usage_object"
_CALL_ID = "litellm.call_id"
_MODEL = "litellm.provider.model"
_HIDDEN = "hidden_params"
_FINISH = "SpanAttributes.LLM_COMPLETIONS.0.finish_reason"
"""Where versions before 1.70 wrote the name of the constant in place of its value."""
_KEY = "metadata.user_api_key_hash"
_USERS = ("metadata.user_api_key_end_user_id", "metadata.user_api_key_user_id")

_RAW_SPAN = "raw_gen_ai_request"
_PROVIDERS = (
    "None",
    "ai21",
    "anthropic",
    "azure",
    "azure_ai",
    "bedrock",
    "cerebras",
    "cohere",
    "cohere_chat",
    "custom_openai",
    "databricks",
    "deepinfra",
    "deepseek",
    "fireworks_ai",
    "gemini",
    "groq",
    "hosted_vllm",
    "huggingface",
    "litellm_proxy",
    "mistral",
    "nvidia_nim",
    "ollama",
    "openai",
    "openai_like",
    "openrouter",
    "perplexity",
    "replicate",
    "sambanova",
    "text-completion-openai",
    "together_ai",
    "vertex_ai",
    "watsonx",
    "xai",
)
_RAW_KEYS = {f"llm.{provider}.{key}": provider for provider in _PROVIDERS for key in ("id", "model", "usage")}
_UNNAMED = "None"

_INVENTED_ID = "chatcmpl-"
_UUID_CHARS = 36
_WRAPPED_ID = "resp_"
_WRAPPED_MARK = "response_id:"


def read(span: RawSpan, _scope: Scope) -> Reading | None:
    """Read one span."""
    if span.name == _RAW_SPAN:
        return _read_raw(span)
    said = span.attributes
    reading = spellings.read(span)
    if reading is None:
        return None
    native = read_native(fields_of(said.get(_USAGE)))
    if native.usage.known:
        reading = reading._replace(
            usage=completed(native.usage, reading.usage),
            usage_source="reported",
            flaws=native.flaws,
            usage_spoiled=native.spoiled,
        )
    else:
        reading = doubts.with_untold_cache(doubts.with_doubtful_input(reading, said), said)
    return reading._replace(
        provider=reading.provider or text(said.get(_MODEL)).partition("/")[0],
        host=reading.host or host_of(text(fields_of(said.get(_HIDDEN)).get("api_base"))),
        finish_reason=reading.finish_reason or text(said.get(_FINISH)),
        response_id=_providers_id(reading.response_id, text(said.get(_CALL_ID))),
        user=reading.user or spellings.first_text(said, _USERS),
    )


def _read_raw(span: RawSpan) -> Reading | None:
    """Read the provider's answer; None for one without usage, which tells nothing that the span above does not."""
    said = span.attributes
    provider = next((_RAW_KEYS[key] for key in said if key in _RAW_KEYS), _UNNAMED)
    usage = fields_of(said.get(f"llm.{provider}.usage"))
    counts = read_native(usage)
    if not counts.usage.known:
        return None
    return Reading(
        provider="" if provider == _UNNAMED else provider,
        response_model=text(said.get(f"llm.{provider}.model")),
        response_id=text(said.get(f"llm.{provider}.id")),
        tier=text(usage.get("service_tier")),
        usage=counts.usage,
        usage_source="reported",
        error=conventions.UNNAMED_ERROR if span.failed else "",
        flaws=counts.flaws,
        usage_spoiled=counts.spoiled,
        layer=PROVIDER_ANSWERED,
    )


def _providers_id(response_id: str, call_id: str) -> str:
    """Return the id that the provider gave to the response; "" for one that LiteLLM made up."""
    if response_id == call_id or _is_invented(response_id):
        return ""
    return _unwrapped(response_id) if response_id.startswith(_WRAPPED_ID) else response_id


def _is_invented(response_id: str) -> bool:
    """Say whether an id ends with a UUID in its usual form, which no provider's does."""
    rest = response_id.removeprefix(_INVENTED_ID)
    return rest != response_id and len(rest) == _UUID_CHARS and rest.count("-") == len(rest.split("-")) - 1 == 4


def _unwrapped(response_id: str) -> str:
    """Return the provider's id out of the one by which LiteLLM finds the provider again."""
    try:
        inner = b64decode(response_id.removeprefix(_WRAPPED_ID), validate=True).decode()
    except (Base64Error, ValueError):
        return response_id
    return text(inner.partition(_WRAPPED_MARK)[2].partition(";")[0]) or response_id


def _attributes() -> Attributes:
    return dict.fromkeys((*spellings.ATTRIBUTES, _USAGE, _CALL_ID, _MODEL, _HIDDEN, _FINISH, *_USERS, *_RAW_KEYS))


DIALECT = Dialect(
    name="litellm",
    scopes=("litellm",),
    markers=(_USAGE, _CALL_ID, _KEY, *_RAW_KEYS),
    rank=30,
    needles=(_CALL_ID, _USAGE, _RAW_SPAN),
    attributes=tuple(_attributes()),
    read=read,
)
