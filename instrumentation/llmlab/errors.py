"""What LLMLab raises.

    LLMLabError

Inside your application nothing of ours raises unless you asked for it; a failure of ours is logged and counted
(`llmlab.capture.faults`), and the call goes on.
"""


class LLMLabError(Exception):
    """The root of every exception of ours: `except LLMLabError` catches all of them and nothing else."""
