"""A module that takes a function from another one, as `litellm` takes `completion` from `litellm.main`."""

from instrumentation.odd_sdk import complete

__all__ = ["complete"]
