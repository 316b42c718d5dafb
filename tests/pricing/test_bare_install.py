import subprocess
import sys

import pytest

EXTRAS = ("genai_prices", "pydantic", "chdb", "clickhouse_connect", "pyarrow", "click", "rich", "grpc")


@pytest.mark.parametrize(
    "module",
    ["usage", "money", "pricing", "pricing.card", "pricing.rate", "pricing.schedule", "pricing.names"],
)
def test_the_kernel_needs_no_extra(module: str):
    hide = f"import sys; sys.modules.update(dict.fromkeys({EXTRAS!r}))"
    subprocess.run([sys.executable, "-c", f"{hide}; import llmlab.{module}"], check=True)
