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

_COUNTING = "count_tokens"
"""Providers count the tokens of a prompt for free."""


def is_billed(operation: str, span_name: str) -> bool:
    """Say whether an operation is one that providers bill.

    A span that names no operation is judged by its name, which the conventions build as `{operation} {model}`.
    """
    named = operation or span_name.partition(" ")[0]
    return named not in UNBILLED and not named.endswith(_COUNTING)
