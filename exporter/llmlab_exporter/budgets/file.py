"""The file `budgets.yaml`. docs/budgets.md describes the format."""

import yaml

from llmlab.budgets import BadBudget, Budget, read_budget
from llmlab.budgets.reading import read_name
from llmlab.pricing.catalogue.marked_yaml import Complaints, compose, did_you_mean, items
from llmlab.pricing.catalogue.sheet import PriceListError
from llmlab_exporter.budgets.records import MAX_BUDGETS, with_known_provider

_SECTIONS = "a mapping with `budgets`"
_NAMED = "a mapping from a name to a budget, such as company: {limit: 1000}"

_MAX_DEPTH = 3
_KEY = -1
"""Behind a path, means the key that it ends in."""

Path = tuple[str | int, ...]


def read_budgets_file(text: str, name: str) -> tuple[Budget, ...]:
    """Read all budgets of a file. Raises `PriceListError` with everything that is wrong, each with line and column."""
    complaints = Complaints()
    root = compose(text, name)
    budgets: list[Budget] = []
    for key, value in items(root, complaints, _SECTIONS) if root else ():
        if key.value == "budgets":
            budgets = [
                budget
                for each in items(value, complaints, _NAMED)
                if (budget := _budget(*each, complaints)) is not None
            ]
        else:
            complaints.add(key, f"unknown section {key.value!r}", did_you_mean(key.value, ("budgets",)))
    if root and len(budgets) > MAX_BUDGETS:
        complaints.add(root, f"there are {len(budgets)} budgets", f"{MAX_BUDGETS} are the limit")
    if complaints.problems:
        raise PriceListError(name, complaints.problems)
    return tuple(budgets)


def _budget(key: yaml.ScalarNode, value: yaml.Node, complaints: Complaints) -> Budget | None:
    nodes: dict[Path, yaml.Node] = {}
    written = _plain(value, complaints, (), nodes)
    name = _name(key, complaints)
    try:
        return with_known_provider(read_budget(written, name))
    except BadBudget as bad:
        for fault in bad.faults:
            path = (*fault.path, _KEY) if fault.is_key else fault.path
            complaints.add(nodes.get(path, value), fault.what, fault.hint)
    return None


def _name(key: yaml.ScalarNode, complaints: Complaints) -> str:
    try:
        return read_name(key.value)
    except BadBudget as bad:
        for fault in bad.faults:
            complaints.add(key, fault.what, fault.hint)
    return "unnamed"


def _plain(node: yaml.Node, complaints: Complaints, path: Path, nodes: dict[Path, yaml.Node]) -> object:
    """Turn nodes into texts, lists and mappings, and note where each stands; keys too."""
    nodes[path] = node
    if len(path) > _MAX_DEPTH:
        return ""  # nothing of a budget is that deep, and a file may even hold itself
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, complaints, (*path, place), nodes) for place, each in enumerate(node.value)]
    if isinstance(node, yaml.MappingNode):
        found = list(items(node, complaints, "a mapping"))
        nodes.update({(*path, key.value, _KEY): key for key, _ in found})
        return {key.value: _plain(value, complaints, (*path, key.value), nodes) for key, value in found}
    return node.value
