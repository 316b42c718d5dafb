"""What the tests have to know about the version of the SDK that they run with."""

from importlib import import_module
from importlib.metadata import version
from typing import Any

import pytest
from packaging.version import Version


def requires(distribution: str, lowest: str) -> pytest.MarkDecorator:
    """Skip a test of what came with a later version than the installed one."""
    is_older = Version(version(distribution)) < Version(lowest)
    return pytest.mark.skipif(is_older, reason=f"came with {distribution} {lowest}")


def http_library(client: type[Any]) -> Any:
    """Return the HTTP library of an SDK, given its own subclass of that library's client: `httpx` or `httpx2`."""
    (base,) = client.__bases__
    return import_module(base.__module__.partition(".")[0])
