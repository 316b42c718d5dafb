"""One LLM call on its way through the pipeline: what a span said of it, in our words."""

from typing import TYPE_CHECKING, Literal, NamedTuple

from llmlab.usage import NO_USAGE, Usage

if TYPE_CHECKING:
    from decimal import Decimal

UsageSource = Literal["reported", "estimated", "partial"]
Outcome = Literal["ok", "error", "partial"]


STREAM_BEGAN = "stream began"
STREAM_ENDED = "stream ended"
"""Layers of an instrumentation that makes one span when a stream begins, and another when it has ended."""
PROVIDER_ANSWERED = "provider answered"
"""Layer of an instrumentation that records the provider's own answer below its own."""


class Reading(NamedTuple):
    """What one dialect understood of one span, in our words.

    Strings are "" when the span does not say; numbers are None. Names of providers and models are as written:
    `normalise` maps them.
    """

    operation: str = ""
    """`chat`, `embeddings`, `text_completion` ... by the conventions' names."""
    billable: bool = True
    """False for spans that repeat or merely surround a billed call: agents, tools, count_tokens, fetch_response."""
    provider: str = ""
    host: str = ""
    """`server.address`: tells OpenRouter from OpenAI when the provider attribute names only the API's flavour."""
    request_model: str = ""
    response_model: str = ""
    response_id: str = ""
    tier: str = ""
    """The served tier when the response said it, else the requested one."""
    batch: bool = False
    stream: bool | None = None
    usage: Usage = NO_USAGE
    usage_source: UsageSource | None = None
    """None when the span carries no usage at all."""
    error: str = ""
    """`error.type`."""
    finish_reason: str = ""
    first_chunk_s: float | None = None
    """Seconds to the first chunk of a stream."""
    provider_cost: "Decimal | None" = None
    """USD that the provider itself returned in its response. It takes precedence over our own computation."""
    claimed_cost: "Decimal | None" = None
    """USD that another instrumentation computed: evidence to show, never the number."""
    project: str = ""
    """Said of this one call; "" where the resource decides. It takes effect after duplicates were found: the spans of
    others, which tell of the same call, do not say it."""
    feature: str = ""
    user: str = ""
    session: str = ""
    run: str = ""
    flaws: tuple[str, ...] = ()
    """What was wrong with the numbers, each naming the attribute and the value."""
    usage_spoiled: bool = False
    """Some count was refused as impossible (`flaws` says which), so what is left of `usage` must not be priced."""
    layer: str = ""
    """Which of several records that one instrumentation makes of one call this is; "" where it makes only one."""
    duration_s: float | None = None
    """Seconds the call took, where the span was made after it and does not last as long."""


class Call(NamedTuple):
    """One span that the exporter stores: identity, where it came from, and its reading with mapped names."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    """Empty for a root span."""
    start_ns: int
    end_ns: int
    """Unix nanoseconds. The call is priced at its end."""
    dialect: str
    org: str
    project: str
    service: str
    environment: str
    provider: str
    """By the conventions' names (`openai`, `azure.ai.openai`, `aws.bedrock` ...), "" when unknown."""
    model: str
    """The served model, else the requested one, "" when unknown."""
    reading: Reading
    scope: str = ""
    """The instrumentation scope: two spans of one scope are one call only if it makes several `layer`s of records."""
    sampling_threshold: int = 0
    """Above 0 when the sender's sampling left out other calls, for which this one stands (`reading/sampling.py`)."""

    @property
    def outcome(self) -> Outcome:
        """How the call ended, as the `outcome` label says it."""
        if self.reading.error:
            return "error"
        return "partial" if self.reading.usage_source == "partial" else "ok"


class Intake(NamedTuple):
    """What one export request amounts to."""

    calls: list[Call]
    ignored: int
    """Spans that are no LLM calls (HTTP, database ...): fine, and none of our business."""
    rejected: dict[str, int]
    """Spans refused for good, by reason; the sender learns of them by partial success."""
    rejection: str
    """The first refusals in words that name the span, the value and the remedy, "" when there is none."""
