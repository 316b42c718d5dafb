"""Redis as the board. The only module that speaks to it.

Keys, all under `llmlab:budgets:`

    exporters        set of ids
    presence:ID      `Presence`, written every second
    sums:ID          hash: identity of a budget -> `Share` without its hours
    history:ID       hash: identity of a budget -> its hours
    records          hash: name of a budget -> what was decided about it last
    revision         counts changes of the records
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import orjson
from redis import Redis
from redis.exceptions import RedisError

from llmlab_exporter.budgets.shared.board import BoardError, Look, Post, Taken
from llmlab_exporter.budgets.shared.presence import KEEP_S, REMOVED, RUNNING, Presence, dump, load
from llmlab_exporter.ledger.budget_records import BudgetRecord

TIMEOUT_S = 2.0

_EXPORTERS = "llmlab:budgets:exporters"
_RECORDS = "llmlab:budgets:records"
_REVISION = "llmlab:budgets:revision"

P = ParamSpec("P")
Result = TypeVar("Result")


def _asked(ask: "Callable[Concatenate[RedisBoard, P], Result]") -> "Callable[Concatenate[RedisBoard, P], Result]":
    """Let Redis's own errors be those of a board."""

    @wraps(ask)
    def asked(board: "RedisBoard", /, *arguments: P.args, **named: P.kwargs) -> Result:
        try:
            return ask(board, *arguments, **named)
        except RedisError as error:
            raise BoardError(f"{type(error).__name__}: {error}") from error

    return asked


class RedisBoard:
    """A `Board` in Redis."""

    def __init__(self, url: str) -> None:
        """Connects when it is used. Raises `ValueError` when the URL is none of Redis."""
        self._redis: Any = Redis.from_url(  # its answers depend on options that its types do not tell apart
            url, decode_responses=True, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )

    @_asked
    def look(self) -> Look:
        """Return who there is."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.time().smembers(_EXPORTERS).get(_REVISION)
        (seconds, micros), ids, revision = pipe.execute()
        texts = self._redis.mget([_presence(each) for each in ids]) if ids else []
        found = {each: presence for each, text in zip(ids, texts, strict=True) if (presence := _read(text))}
        if expired := [each for each, text in zip(ids, texts, strict=True) if text is None]:
            self._redis.srem(_EXPORTERS, *expired)
        return Look(seconds + micros / 1e6, found, revision or "")

    @_asked
    def sums(self, exporter_id: str) -> dict[str, str]:
        """Return what an exporter has of each budget."""
        return cast("dict[str, str]", self._redis.hgetall(_sums(exporter_id)))

    @_asked
    def history(self, exporter_id: str) -> dict[str, str]:
        """Return the hours that an exporter has of each budget."""
        return cast("dict[str, str]", self._redis.hgetall(_history(exporter_id)))

    @_asked
    def publish(self, post: Post, before: Post | None, fresh_s: float) -> None:
        """Publish: only what changed, if `before` is what Redis has, else everything.

        Raises `Taken` when another process has published under the same id in the last `fresh_s` seconds and has not
        stopped.
        """
        presence = post.presence
        key = _presence(presence.exporter_id)

        def write(pipe: Any) -> None:
            found = _read(pipe.get(key))
            if found and _is_taken(found, presence, fresh_s):
                raise Taken(found.name)
            is_known = before is not None and found == before.presence
            pipe.multi()
            self._write(pipe, post, before if is_known else None)

        self._redis.transaction(write, key)

    @_asked
    def restore(self, post: Post) -> None:
        """Publish again what an exporter once published, if Redis has lost it."""

        def write(pipe: Any) -> None:
            found = pipe.get(key)
            pipe.multi()
            if found is None:
                self._write(pipe, post, None)

        key = _presence(post.presence.exporter_id)
        self._redis.transaction(write, key)

    @_asked
    def mark(self, presence: Presence) -> None:
        """Change what is said of an exporter that does not run. What it published goes when it is removed."""
        pipe = self._redis.pipeline()
        pipe.set(_presence(presence.exporter_id), dump(presence), ex=KEEP_S)
        if presence.state == REMOVED:
            pipe.delete(_sums(presence.exporter_id), _history(presence.exporter_id))
        pipe.execute()

    @_asked
    def records(self) -> dict[str, BudgetRecord]:
        """Return what was decided last about budgets, by name."""
        texts = cast("dict[str, str]", self._redis.hgetall(_RECORDS))
        return {name: record for name, text in texts.items() if (record := _read_record(name, text))}

    @_asked
    def offer(self, record: BudgetRecord) -> None:
        """Write a decision about a budget, unless there is a later one."""

        def write(pipe: Any) -> None:
            found = pipe.hget(_RECORDS, record.name)
            pipe.multi()
            if record.is_after(_read_record(record.name, found) if found else None):
                pipe.hset(_RECORDS, record.name, orjson.dumps(record[1:]).decode())
                pipe.incr(_REVISION)

        self._redis.transaction(write, _RECORDS)

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def _write(self, pipe: Any, post: Post, before: Post | None) -> None:
        exporter_id = post.presence.exporter_id
        pipe.sadd(_EXPORTERS, exporter_id)
        pipe.set(_presence(exporter_id), dump(post.presence), ex=KEEP_S)
        for key, now, then in (
            (_sums(exporter_id), post.sums, before and before.sums),
            (_history(exporter_id), post.history, before and before.history),
        ):
            if then is None:
                pipe.delete(key)
            elif gone := [name for name in then if name not in now]:
                pipe.hdel(key, *gone)
            known = then or {}
            if changed := {name: text for name, text in now.items() if known.get(name) != text}:
                pipe.hset(key, mapping=changed)
            pipe.expire(key, KEEP_S)


def _is_taken(found: Presence, own: Presence, fresh_s: float) -> bool:
    is_another = found.process != own.process and found.state == RUNNING
    return is_another and own.seen_at - found.seen_at < fresh_s


def _read(text: str | None) -> Presence | None:
    try:
        return None if text is None else load(text)
    except ValueError:
        return None


def _read_record(name: str, text: str) -> BudgetRecord | None:
    try:
        document, version, author = orjson.loads(text)
        return BudgetRecord(name, str(document), int(version), str(author))
    except (ValueError, TypeError):
        return None


def _presence(exporter_id: str) -> str:
    return f"llmlab:budgets:presence:{exporter_id}"


def _sums(exporter_id: str) -> str:
    return f"llmlab:budgets:sums:{exporter_id}"


def _history(exporter_id: str) -> str:
    return f"llmlab:budgets:history:{exporter_id}"
