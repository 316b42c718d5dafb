"""What the metadata of LangChain's runs say: whom a call is for, which agent makes it, and how a model is called."""

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from llmlab import semconv
from llmlab.attribution import BAGGAGE_PREFIX
from llmlab.capture.runs import Attributed
from llmlab.hosts import Endpoint
from llmlab.tags import NO_TAGS, tags_of

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

Metadata = Mapping[str, Any]

PROVIDERS = {
    "amazon_bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "ibm": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "xai": "x_ai",
}
"""Values of `ls_provider`, and the conventions' names. Where they agree, and for unknown ones, the value stays."""

_SESSION_NAMES = ("thread_id", "session_id", "conversation_id")
"""Metadata by which LangSmith groups runs: docs.langchain.com/langsmith/threads, read 2026-11-21."""
_AGENT = "langchain_create_agent"
_NOTHING: Metadata = {}


def running_config() -> Metadata:
    """Return the configuration of the runnable that runs here, which LangChain keeps in a variable of its own."""
    module: Any = sys.modules.get("langchain_core.runnables.config")
    return _NOTHING if module is None else module.var_child_runnable_config.get() or _NOTHING


def running_configurable() -> Metadata:
    """Return the part of that configuration which the application may fill as it likes."""
    return running_config().get("configurable") or _NOTHING


def agent_of(metadata: Metadata) -> str | None:
    """Return the agent that a run is a part of: "" for one without a name."""
    return str(metadata.get("lc_agent_name") or "") if metadata.get("ls_integration") == _AGENT else None


def attributed(metadata: Metadata, configurable: Metadata, run_id: object) -> Attributed:
    """Return whom and what a run's calls are for. Without a `run_id` they belong to no run of anything."""
    said = {name.removeprefix(BAGGAGE_PREFIX): metadata[name] for name in metadata if name.startswith(BAGGAGE_PREFIX)}
    derived: dict[str, object] = {}
    if session := _session(metadata) or _session(configurable):
        derived["session"] = session
    if user := metadata.get("user_id"):
        derived["user"] = user
    if run_id is not None:
        derived["run"] = str(run_id)
    return Attributed(tags_of(said) if said else NO_TAGS, tags_of(derived) if derived else NO_TAGS)


def _session(holder: Metadata) -> object:
    for name in _SESSION_NAMES:
        if value := holder.get(name):
            return value
    return None


def endpoint_of(metadata: Metadata) -> Endpoint:
    """Return who answers a model's calls, as far as LangChain knows."""
    return _endpoint(str(metadata.get("ls_provider") or ""))


@lru_cache(maxsize=64)
def _endpoint(said: str) -> Endpoint:
    return Endpoint(PROVIDERS.get(said, said) or "unknown")


def model_of(metadata: Metadata, parameters: Any) -> str | None:
    """Return the model that is asked for."""
    known: Metadata = parameters if isinstance(parameters, dict) else _NOTHING
    for name in (metadata.get("ls_model_name"), known.get("model"), known.get("model_name")):
        if name and isinstance(name, str):
            return name
    return None


def parameters_of(metadata: Metadata, *, streams: bool) -> "dict[str, AttributeValue]":
    """Return the parameters of a model's call as attributes."""
    attributes: dict[str, AttributeValue] = {}
    if (temperature := metadata.get("ls_temperature")) is not None:
        attributes[semconv.REQUEST_TEMPERATURE] = temperature
    if (max_tokens := metadata.get("ls_max_tokens")) is not None:
        attributes[semconv.REQUEST_MAX_TOKENS] = max_tokens
    if streams:
        attributes[semconv.REQUEST_STREAM] = True
    return attributes
