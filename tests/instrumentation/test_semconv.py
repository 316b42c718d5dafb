import ast
from pathlib import Path

from llmlab import semconv
from llmlab.usage import Usage


def test_every_count_has_an_attribute_of_its_own() -> None:
    assert tuple(semconv.USAGE_ATTRIBUTES) == Usage._fields
    assert len(set(semconv.USAGE_ATTRIBUTES.values())) == len(Usage._fields)


def test_no_two_names_are_the_same() -> None:
    names = [value for name, value in vars(semconv).items() if name.isupper() and isinstance(value, str)]
    assert len(set(names)) == len(names)


def test_the_module_imports_nothing() -> None:
    tree = ast.parse(Path(semconv.__file__).read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
