"""Arrow in the exporter's process."""

import subprocess
import sys

PROGRAM = """
import sys
import llmlab_exporter.cli.up
import pyarrow as pa
assert not {"pandas", "numpy"} & sys.modules.keys()
assert pa.Table.from_batches([pa.record_batch({"a": pa.array([1, None])})]).column("a").to_pylist() == [1, None]
import numpy
assert numpy.arange(3).sum() == 3
"""


def test_it_takes_along_neither_pandas_nor_numpy_and_whoever_wants_them_has_them() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
