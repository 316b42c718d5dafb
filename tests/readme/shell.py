"""A shell that runs what a page tells the reader to run."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

TIMEOUT_S = 240
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a Markdown page, in order."""
    return [Block(*match.groups()) for match in _FENCE.finditer(page)]


@dataclass(frozen=True)
class Shell:
    """Runs commands in a directory, with an environment and nothing else."""

    directory: Path
    environment: dict[str, str]

    def run(self, script: str) -> str:
        """Run a script to its end, which must be a success; returns what it printed."""
        ended = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    @contextmanager
    def background(self, script: str, ready: Callable[[str], bool]) -> Generator["Running"]:
        """Run a script that goes on, until what it has printed makes it ready; Ctrl-C at the end."""
        with tempfile.TemporaryFile("w+") as output:
            process = subprocess.Popen(
                ["bash", "-e", "-c", script],
                cwd=self.directory,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            running = Running(output)
            try:
                deadline = time.monotonic() + TIMEOUT_S
                while not ready(running.printed()):
                    assert process.poll() is None, running.printed()
                    assert time.monotonic() < deadline, running.printed()
                    time.sleep(0.1)
                yield running
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to all that it runs
                process.wait(60)
                running.end()


class Running:
    """A script that goes on, and what it printed."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output
        self._all = ""

    def printed(self) -> str:
        """Return all that it printed so far; after its end, all that it ever printed."""
        return self._all or os.pread(self._output.fileno(), 1 << 20, 0).decode(errors="replace")

    def end(self) -> None:
        """Keep what it printed."""
        self._all = self.printed()
