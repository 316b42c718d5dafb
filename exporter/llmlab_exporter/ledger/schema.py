"""Tables of the ledger. Migrations are numbered, run once each, and never edited after a release."""

import sqlite3

from llmlab_exporter.tally import BESIDE, Tally

SUMS = tuple(name for name in Tally.__dataclass_fields__ if name not in BESIDE | {"cost_yocto"})
"""The integer columns of a tally. Cost is text, since SQLite's integers end at 64 bits, and sums must be exact."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    -- 0 .. 65535: lets one statement take a whole batch of keys apart (seen.py).
    CREATE TABLE numbers (n INTEGER PRIMARY KEY);
    INSERT INTO numbers WITH RECURSIVE count(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM count WHERE n < 65535)
        SELECT n FROM count;

    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        org TEXT NOT NULL, project TEXT NOT NULL, service_name TEXT NOT NULL, environment TEXT NOT NULL,
        provider TEXT NOT NULL, model TEXT NOT NULL, operation TEXT NOT NULL, outcome TEXT NOT NULL,
        requests INTEGER NOT NULL, priced INTEGER NOT NULL, unpriced INTEGER NOT NULL,
        input INTEGER NOT NULL, output INTEGER NOT NULL,
        cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL, reasoning INTEGER NOT NULL,
        duration_ns INTEGER NOT NULL, cost_yocto TEXT NOT NULL, latency TEXT NOT NULL,
        UNIQUE (org, project, service_name, environment, provider, model, operation, outcome)
    );

    CREATE TABLE spend (
        bucket INTEGER NOT NULL, series INTEGER NOT NULL REFERENCES series (id),
        requests INTEGER NOT NULL, priced INTEGER NOT NULL, unpriced INTEGER NOT NULL,
        input INTEGER NOT NULL, output INTEGER NOT NULL,
        cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL, reasoning INTEGER NOT NULL,
        duration_ns INTEGER NOT NULL, cost_yocto TEXT NOT NULL,
        PRIMARY KEY (bucket, series)
    ) WITHOUT ROWID;

    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counters VALUES ('redelivered', 0);

    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, batch_id TEXT, rows INTEGER NOT NULL, payload BLOB NOT NULL
    );
    CREATE INDEX outbox_batch ON outbox (batch_id) WHERE batch_id IS NOT NULL;
    """,
    """
    CREATE TABLE changes (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, request TEXT NOT NULL, state TEXT NOT NULL,
        chunk INTEGER NOT NULL, confirmed INTEGER NOT NULL, cursor TEXT NOT NULL, report TEXT NOT NULL,
        started_at INTEGER NOT NULL, ended_at INTEGER, error TEXT NOT NULL
    );
    """,
    """
    ALTER TABLE series ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE series ADD COLUMN provider_priced INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE spend ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE spend ADD COLUMN provider_priced INTEGER NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE spend ADD COLUMN sampled TEXT;

    CREATE TABLE dead_letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT, refused_at INTEGER NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL
    );
    INSERT INTO counters VALUES ('overflowed', 0);
    """,
    """
    -- Rows that were stored lately: what comes may tell of the same calls (window.py).
    CREATE TABLE recent (
        id INTEGER PRIMARY KEY, stored_at INTEGER NOT NULL, rows INTEGER NOT NULL, payload BLOB NOT NULL
    );
    CREATE TABLE duplicates (rule TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counters VALUES ('corrections', 0);
    ALTER TABLE series ADD COLUMN held_back TEXT;
    """,
    """
    -- `count` is what is true now, `decided` how often a rule said so, ever.
    ALTER TABLE duplicates ADD COLUMN decided INTEGER NOT NULL DEFAULT 0;
    UPDATE duplicates SET decided = count;

    ALTER TABLE dead_letters ADD COLUMN rows INTEGER NOT NULL DEFAULT 1;
    """,
    """
    -- When the exporter first knew the series, Unix seconds: new ones are shown at 0 at first (new_series.py).
    ALTER TABLE series ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
    """,
    """
    -- A part of `spend`: calls that say what they are for (features.py). What was spent before is not told apart.
    CREATE TABLE features (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, since INTEGER NOT NULL);
    CREATE TABLE feature_spend (
        bucket INTEGER NOT NULL, series INTEGER NOT NULL REFERENCES series (id),
        feature INTEGER NOT NULL REFERENCES features (id),
        requests INTEGER NOT NULL, unpriced INTEGER NOT NULL, cost_yocto TEXT NOT NULL,
        PRIMARY KEY (bucket, series, feature)
    ) WITHOUT ROWID;
    INSERT INTO counters VALUES ('overflowed_features', 0);
    INSERT INTO meta SELECT 'features_since', strftime('%s', 'now') WHERE EXISTS (SELECT 1 FROM spend);

    CREATE TABLE budgets (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL);
    """,
    """
    -- Several exporters may share budgets: the latest decision about a name holds, also that it was removed.
    ALTER TABLE budgets ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE budgets ADD COLUMN author TEXT NOT NULL DEFAULT '';
    """,
)


class LedgerTooNew(RuntimeError):
    """The file was written by a later version of LLMLab than this one."""


def migrate(db: sqlite3.Connection) -> None:
    """Bring the ledger to this version's tables; a no-op when it is there already.

    Raises `LedgerTooNew` when the file comes from a later version.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise LedgerTooNew(f"the ledger has tables of version {version}, this LLMLab knows {len(MIGRATIONS)}")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")
