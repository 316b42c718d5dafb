"""The SDK `openai`, and with it Azure and every other host that speaks OpenAI's API.

The module paths and shapes hold for 1.63 (which moved `chat.completions` into a package) up to 3.52; both ends are
tested. `chat.completions.stream()` calls `create` and so is recorded too, as are the two helpers' older homes under
`beta` as far as they do. The Responses API came with 1.66; what `responses.retrieve` fetches was billed to the
call that created it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from llmlab import semconv
from llmlab.formats.openai import read_completion
from llmlab.formats.openai_helpers import HOOKS, overhearing
from llmlab.formats.openai_media import read_images, read_speech, read_transcription
from llmlab.formats.openai_requests import (
    embeddings_request,
    image_request,
    inside_response_helper,
    read_request,
    response_helper_request,
    response_request,
    speech_request,
    transcription_request,
    translation_request,
)
from llmlab.formats.openai_responses import read_response
from llmlab.providers import Call, Provider, ReadRequest, Reply

_COMPLETION_PARAMETERS = {
    "max_tokens": semconv.REQUEST_MAX_TOKENS,
    "max_completion_tokens": semconv.REQUEST_MAX_TOKENS,
    "temperature": semconv.REQUEST_TEMPERATURE,
    "top_p": semconv.REQUEST_TOP_P,
    "n": semconv.REQUEST_CHOICE_COUNT,
    "reasoning_effort": semconv.REQUEST_REASONING_LEVEL,
    "service_tier": semconv.OPENAI_REQUEST_SERVICE_TIER,
}


_completion_request = partial(
    read_request, operation="text_completion", names=_COMPLETION_PARAMETERS, is_completion=True
)
_chat_request = partial(
    read_request,
    operation="chat",
    names=_COMPLETION_PARAMETERS,
    said={semconv.OPENAI_API_TYPE: "chat_completions"},
    is_completion=True,
)


_CHAT = "openai.resources.chat.completions.completions"
_COMPLETIONS = "openai.resources.completions"
_EMBEDDINGS = "openai.resources.embeddings"
_RESPONSES = "openai.resources.responses.responses"
_IMAGES = "openai.resources.images"
_TRANSCRIPTIONS = "openai.resources.audio.transcriptions"
_TRANSLATIONS = "openai.resources.audio.translations"
_SPEECH = "openai.resources.audio.speech"
_BETA_RESPONSES = "openai.resources.beta.responses.responses"


def _calls(
    module: str,
    method: str,
    request: ReadRequest,
    reply: Callable[[Any], Reply] = read_completion,
    *,
    is_optional: bool = False,
) -> tuple[Call, Call]:
    """Return the calls of a resource's method and of its asynchronous twin, which the SDK gives the prefix Async."""
    both = partial(Call, module=module, request=request, reply=reply, is_optional=is_optional)
    return both(attribute=method), both(attribute=f"Async{method}", kind="async")


PROVIDER = Provider(
    name="openai",
    distribution="openai",
    versions=">=1.63,<4",
    content=("openai_content:CHAT", "openai_content:COMPLETION", "openai_responses_content:RESPONSES"),
    calls=(
        *_calls(_CHAT, "Completions.create", _chat_request),
        *_calls(_CHAT, "Completions.parse", overhearing(_chat_request), is_optional=True),  # since 1.92
        *_calls(_COMPLETIONS, "Completions.create", _completion_request),
        *_calls(_EMBEDDINGS, "Embeddings.create", embeddings_request),
        *_calls(_RESPONSES, "Responses.create", response_request, read_response),
        *_calls(_RESPONSES, "Responses.parse", overhearing(response_request), read_response),
        *(
            Call(
                module=_RESPONSES,
                attribute=method,
                kind="manager",
                request=response_helper_request,
                reply=read_response,
                replace_stream=inside_response_helper,
            )
            for method in ("Responses.stream", "AsyncResponses.stream")
        ),
        *_calls(_RESPONSES, "Responses.compact", response_request, read_response, is_optional=True),
        *_calls(_BETA_RESPONSES, "Responses.create", response_request, read_response),
        *_calls(_IMAGES, "Images.generate", image_request, read_images),
        *_calls(_IMAGES, "Images.edit", image_request, read_images),
        *_calls(_IMAGES, "Images.create_variation", image_request, read_images),
        *_calls(_TRANSCRIPTIONS, "Transcriptions.create", transcription_request, read_transcription),
        *_calls(_TRANSLATIONS, "Translations.create", translation_request, read_transcription),
        *_calls(_SPEECH, "Speech.create", speech_request, read_speech),
    ),
    hooks=HOOKS,
    tier_attribute=semconv.OPENAI_RESPONSE_SERVICE_TIER,
)
