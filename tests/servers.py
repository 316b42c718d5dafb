"""Programs that tests start, which are not Python packages."""

import os
import shutil

import pytest

_PACKAGES = {"strace": "strace"}
"""Debian's package of each program that has another name or none."""


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test where a program is missing; in CI, let it fail there."""
    package = _PACKAGES.get(program, program)
    missing = shutil.which(program) is None and not os.environ.get("CI")
    return pytest.mark.skipif(missing, reason=f"there is no {program}: apt-get install {package}")
