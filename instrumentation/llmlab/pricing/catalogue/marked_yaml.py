"""YAML as text with places: no scalar is interpreted, so no price goes through a binary float, and every complaint
names its line and column.
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

import yaml

from llmlab.pricing.catalogue.sheet import PriceListError, Problem


class Complaints:
    """What is wrong with a file, collected so that one look at it is enough."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def add(self, node: yaml.Node, what: str, hint: str) -> None:
        """Note what is wrong at a node."""
        self.problems.append(Problem(node.start_mark.line + 1, node.start_mark.column + 1, what, hint))


def compose(text: str, name: str) -> yaml.Node | None:
    """Return the root node, None for an empty file. Raises `PriceListError`."""
    try:
        return yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        problem = Problem(line, column, f"this is no YAML: {error.problem}", "quote names that contain *, : or #")
        raise PriceListError(name, [problem]) from error
    except yaml.YAMLError as error:
        raise PriceListError(
            name, [Problem(1, 0, f"this is no YAML: {error}", "save the file as UTF-8 text")]
        ) from error


def items(node: yaml.Node, complaints: Complaints, expected: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Go through a mapping; what is none, and keys that come twice, are complained about."""
    if not isinstance(node, yaml.MappingNode):
        complaints.add(node, f"{shown(node)} stands where {expected} is expected", f"write {expected}")
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            complaints.add(key, "a key is a list or a mapping", "keys are plain names")
        elif key.value in seen:
            complaints.add(key, f"{key.value!r} stands here twice, first in line {seen[key.value]}", "keep one of them")
        else:
            seen[key.value] = key.start_mark.line + 1
            yield key, value


def elements(node: yaml.Node, complaints: Complaints, expected: str) -> Sequence[yaml.Node]:
    """Return the elements of a list; what is none is complained about."""
    if isinstance(node, yaml.SequenceNode):
        return node.value
    complaints.add(node, f"{shown(node)} stands where {expected} is expected", f"write {expected}")
    return ()


def shown(node: yaml.Node) -> str:
    """Return what stands at a node, short enough for a message."""
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value if len(node.value) <= 40 else f"{node.value[:40]}...") if node.value else "nothing"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Suggest the nearest known name, else list what is known."""
    nearest = get_close_matches(word.lower(), known, 1)
    return f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"
