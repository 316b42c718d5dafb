import os
import threading
from collections.abc import Iterator

import pytest

from cli.prepared import Exporter, PreparedServer


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    with PreparedServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Exporter(server, kept | {"LLMLAB_URL": server.url})
        server.shutdown()
        thread.join()
