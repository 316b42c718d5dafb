"""The command `llmlab`.

The plain install, which is for the application, has neither click nor rich: the command then says how to get them.
"""

import sys
from importlib import import_module

_NEEDED = ("click", "rich", "urllib3")


def main() -> None:
    """Run the command line: the console script `llmlab`."""
    try:
        for package in _NEEDED:
            import_module(package)
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        sys.stderr.write(
            f"error: the command line needs {error.name}, which the plain install leaves out\n"
            "hint: pip install 'llmlab[cli]', or 'llmlab[server]' to run the exporter as well\n"
        )
        sys.exit(2)
    import_module("llmlab.cli.group").llmlab()
