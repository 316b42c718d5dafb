"""LLMLab inside your application: spans with exact token usage for every LLM call."""

from llmlab._version import __version__

__all__ = ["__version__"]
