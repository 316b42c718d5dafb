"""SQL for Grafana over the embedded engine: read-only, authenticated, in ClickHouse's HTTP dialect.

The wall is the engine's own. `access` gives it a role that may read three of our tables, and a row policy that
shows a session the rows of its scope only; `session` opens one session for each statement, in that role, with its
limits set and locked by ClickHouse's readonly mode. `gate` is the second wall: it reads the engine's own parse of a
statement and refuses what the engine would not (functions that read files, `INTO OUTFILE`, system tables).
"""
