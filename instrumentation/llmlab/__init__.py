"""LLMLab inside your application: spans with exact token usage for every LLM call.

import llmlab

with llmlab.attribute(feature="search", user="u1"): ...   # whom and what calls are for
@llmlab.track_cost(provider="openai")                      # what a function spends
pool.submit(llmlab.carry(function), ...)                   # attributed in another thread as here
llmlab.sdk                                                 # reporting calls by hand
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from llmlab._version import __version__

if TYPE_CHECKING:
    from llmlab import sdk as sdk
    from llmlab.attribution import attribute
    from llmlab.carrying import carry
    from llmlab.track import track_cost

__all__ = ["__version__", "attribute", "carry", "sdk", "track_cost"]

_HOMES = {"attribute": "llmlab.attribution", "carry": "llmlab.carrying", "track_cost": "llmlab.track"}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: the command line imports this package too, and need not wait for it."""
    if name == "sdk":
        return import_module("llmlab.sdk")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'llmlab' has no attribute {name!r}")
