"""One client over the replicas of a shard: it stays with one while that answers, and goes on to the next when not.

Nothing is tried again here. Whoever asked learns that it failed, and for an insert nobody knows whether it arrived; so
the rows are looked for on the next replica before they are sent again, which is first let catch up with the others.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

_log = logging.getLogger(__name__)


class Replicas:
    """Speaks to one replica at a time. Not thread-safe, as the clients are not."""

    def __init__(self, openings: Sequence[Callable[[], Any]], welcome: Callable[[Any], None]) -> None:
        """Open the first that answers; raises the last one's error when none does. `welcome` is run on each new one."""
        self._openings = openings
        self._welcome = welcome
        self._place = 0
        self._client: Any = None
        self._open()

    def query(self, *arguments: Any, **named: Any) -> Any:
        """Run a SELECT."""
        return self._ask("query", *arguments, **named)

    def query_arrow(self, *arguments: Any, **named: Any) -> Any:
        """Run a SELECT for many rows."""
        return self._ask("query_arrow", *arguments, **named)

    def command(self, *arguments: Any, **named: Any) -> Any:
        """Run a statement that changes something."""
        return self._ask("command", *arguments, **named)

    def insert_arrow(self, *arguments: Any, **named: Any) -> Any:
        """Insert rows."""
        return self._ask("insert_arrow", *arguments, **named)

    def close(self) -> None:
        """Let go of the replica."""
        if self._client is not None:
            self._client.close()

    def _ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        client = self._client or self._open()
        try:
            return getattr(client, method)(*arguments, **named)
        except OperationalError:
            client.close()
            self._client = None
            self._place = (self._place + 1) % len(self._openings)
            raise

    def _open(self) -> Any:
        count = len(self._openings)
        for offset in range(count):
            place = (self._place + offset) % count
            try:
                client = self._openings[place]()
            except ClickHouseError as error:
                if offset == count - 1:
                    raise
                _log.warning("a replica of the store does not answer, the next one is asked: %s", _brief(error))
            else:
                self._welcome(client)
                self._client, self._place = client, place
                break
        return self._client


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
