"""Loads Arrow without NumPy and pandas, which it takes along when they are there: 45 MiB that nobody uses here.

To be imported before anything that imports Arrow. Afterwards both can be imported as ever; Arrow goes without them.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_UNUSED = frozenset({"numpy", "pandas"})


class _Absence(MetaPathFinder):
    """Lets packages be missing."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as importlib calls it
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in _UNUSED:
            raise ModuleNotFoundError(f"{fullname} is not loaded with Arrow", name=fullname)
        return None


_absence = _Absence()
sys.meta_path.insert(0, _absence)
try:
    import_module("pyarrow.compute")  # looks for NumPy by itself
    import_module("pyarrow").array([0])  # with the first array, Arrow looks for pandas
finally:
    sys.meta_path.remove(_absence)
