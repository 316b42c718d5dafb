"""What readers may know of `system`: views that leave out sizes, paths and other people's statements."""

from llmlab_exporter.sql.access import CATALOGUE, DATABASE, TABLES, VIEWS
from llmlab_exporter.sql.settings import CHANGEABLE

_NAMES = ", ".join(f"'{name}'" for name in (*TABLES, *VIEWS))
_CHANGEABLE = ", ".join(f"'{name}'" for name in sorted(CHANGEABLE))

_QUERIES = {
    "databases": f"SELECT '{DATABASE}' AS name, 'Atomic' AS engine, '' AS comment",
    "tables": "SELECT database, name, engine, comment FROM system.tables"  # noqa: S608 - our own names
    f" WHERE database = '{DATABASE}' AND name IN ({_NAMES})",
    "columns": "SELECT database, table, name, type, position, default_kind, default_expression, comment,"  # noqa: S608 - our own names
    " is_in_partition_key, is_in_sorting_key, is_in_primary_key, is_in_sampling_key"
    f" FROM system.columns WHERE database = '{DATABASE}' AND table IN ({_NAMES})",
    "functions": "SELECT * FROM system.functions",
    # Drivers send a setting only when this says that it may be changed.
    "settings": "SELECT name, if(name = 'log_comment', '', value) AS value, changed, description, min, max,"  # noqa: S608 - our own names
    f" if(name IN ({_CHANGEABLE}), 0, 1) AS readonly, type, default FROM system.settings",
    "one": "SELECT * FROM system.one",
}
SYSTEM_TABLES = frozenset(_QUERIES)
"""The tables of `system` that a statement may name."""


def statements() -> list[str]:
    """Return what creates the views; the database lives in memory and is made anew whenever the engine opens."""
    return [
        f"CREATE DATABASE IF NOT EXISTS {CATALOGUE} ENGINE = Memory",
        *(f"CREATE OR REPLACE VIEW {CATALOGUE}.{name} AS {query}" for name, query in _QUERIES.items()),
    ]
