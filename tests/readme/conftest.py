import os
from collections.abc import Iterator

import pytest

from environments import ROOT, Environment, build_wheel, find_uv, locked_versions, users_environment
from fake_provider.testing import FakeProvider
from readme.shell import Shell


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A user's shell in an empty directory and environment, with a provider to call.

    Two things differ from a user's machine. `pip` is uv's, which shares what it has downloaded already, and it takes
    `llmlab` from the wheel of this checkout and everything else in the versions of uv.lock.
    """
    directory = tmp_path_factory.mktemp("user")
    constraints = locked_versions(directory / "constraints.txt")
    environment = Environment(directory / "venv")
    environment.install("openai", constraints=constraints)  # the application's own dependency
    wheel = build_wheel(directory / "dist")
    constraints.write_text(f"{constraints.read_text()}\nllmlab @ {wheel.as_uri()}\n")
    pip = environment.bin / "pip"
    pip.write_text(f'#!/bin/sh\nUV_CONSTRAINT={constraints} exec {find_uv()} --quiet pip "$@"\n')
    pip.chmod(0o755)
    work = directory / "work"
    work.mkdir()
    with FakeProvider() as provider:
        yield Shell(
            work,
            users_environment()
            | {
                "PATH": f"{environment.bin}{os.pathsep}{os.environ['PATH']}",
                "VIRTUAL_ENV": str(directory / "venv"),
                "XDG_DATA_HOME": str(directory / "data"),
                "OPENAI_BASE_URL": provider.openai_url,
                "OPENAI_API_KEY": "fake",
            },
        )


@pytest.fixture
def checkout() -> Shell:
    """A shell in the checkout, as after `git clone`."""
    return Shell(ROOT, users_environment())
