"""Which operations a provider bills.

A list of what is not billed, because instrumentations invent names for what is: `acompletion`, `responses`, or none.
"""

UNBILLED = frozenset(
    {
        # containers, which may repeat the sum of what happened in them
        "invoke_agent",
        "invoke_workflow",
        "create_agent",
        "plan",
        "agent",
        "agent_step",
        "execute_task",
        "execute_event_loop_cycle",
        # no inference at all
        "execute_tool",
        "retrieval",
        "create_memory",
        "update_memory",
        "upsert_memory",
        "delete_memory",
        "search_memory",
        "create_memory_store",
        "delete_memory_store",
        # GET of a response that was billed when it was made
        "fetch_response",
    }
)

INFERENCE = frozenset(
    {
        "chat",
        "completion",
        "embeddings",
        "generate_content",
        "image_generation",
        "rerank",
        "speech",
        "text_completion",
        "transcription",
    }
)
"""Operations that are calls of a model even where no model is named."""

_KINDS = frozenset(
    {
        "agent_call",
        "call_tool",
        "chain",
        "evaluation",
        "evaluator",
        "execute_workflow",
        "framework",
        "guardrail",
        "handoff",
        "invoke_tool",
        "list_messages",
        "list_run_steps",
        "get_thread_run",
        "orchestrate_tools",
        "parser",
        "prompt",
        "retrieve",
        "retriever",
        "run_agent",
        "schedule_tool_calls",
        "system_prompt",
        "user_prompt",
        "step",
        "task",
        "tool",
        "tool_call",
        "workflow",
    }
)
"""What frameworks call their spans that are no inference, where they hand on their own words as the operation."""

_CONTAINERS = _KINDS | {"agent", "entry", "executor", "operation", "session", "vectordb"}

_COUNTING = "count_tokens"
"""Providers count the tokens of a prompt for free."""


def is_billed(operation: str, span_name: str) -> bool:
    """Say whether an operation is one that providers bill.

    A span that names no operation is judged by its name, which the conventions build as `{operation} {model}`.
    """
    named = operation or span_name.partition(" ")[0]
    return named not in UNBILLED and operation not in _KINDS and not named.endswith(_COUNTING)


def is_container(kind: str) -> bool:
    """Say whether what a library calls the kind of a span is no inference, but surrounds or serves it."""
    return kind.lower() in _CONTAINERS
