"""What the embedded engine allows whom: roles, grants and row policies, in the file it reads when it opens."""

import os
from pathlib import Path
from xml.sax.saxutils import escape

DATABASE = "llmlab"
TABLES = ("llm_calls", "llm_call_versions")
"""Tables that readers may read, each behind a row policy."""
VIEWS = ("current_calls",)
"""Views over them, which run with the rights of who asks."""
CATALOGUE = "llmlab_catalogue"
"""The database with what readers may know of `system` (`catalogue.py`)."""
OWNER = "llmlab_owner"
READER = "llmlab_reader"

_WIDE_PART_BYTES = 64 * 1024 * 1024
"""Uncompressed, from which on a part has files of its own for each column. Most inserts are smaller, and take a fifth
less time to write, and to merge, as one file than as two hundred."""

_MARK = "llmlab"
_ANY = "*"
_SCOPE = "splitByChar(':', getSetting('log_comment'))"


def scope_setting(org: str | None, project: str | None) -> str:
    """Name the rows of an organisation and a project, None for all, in the setting that the row policy reads.

    `log_comment` is a setting that nothing else uses; readonly mode locks it with the others.
    """
    return f"{_MARK}:{_part(org)}:{_part(project)}"


def row_policy() -> str:
    """Return the condition on every row that is read: the owner sees all, a reader its scope, and nobody else any."""
    return (
        f"has(enabledRoles(), '{OWNER}') OR ({_SCOPE}[1] = '{_MARK}'"
        f" AND ({_SCOPE}[2] = '{_ANY}' OR org = unhex({_SCOPE}[2]))"
        f" AND ({_SCOPE}[3] = '{_ANY}' OR project = unhex({_SCOPE}[3])))"
    )


def write_engine_config(path: Path) -> None:
    """Write the file that the engine is opened with (`open_embedded`); an old one is replaced in one step."""
    partial = path.with_name(f"{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(_engine_config(path))
    partial.replace(path)


def _part(value: str | None) -> str:
    return _ANY if value is None else value.encode().hex()


def _engine_config(path: Path) -> str:
    """Both what ClickHouse calls its configuration and its users: the file names itself as the second."""
    readable = "".join(
        f"<query>GRANT SELECT ON {name}</query>"
        for name in (*(f"{DATABASE}.{table}" for table in (*TABLES, *VIEWS)), f"{CATALOGUE}.*")
    )
    policies = "".join(f"<{table}><filter>{escape(row_policy())}</filter></{table}>" for table in TABLES)
    return f"""<clickhouse>
  <users_config>{escape(str(path.absolute()))}</users_config>
  <merge_tree><min_bytes_for_wide_part>{_WIDE_PART_BYTES}</min_bytes_for_wide_part></merge_tree>
  <profiles><default/></profiles>
  <quotas><default/></quotas>
  <roles>
    <{OWNER}><grants><query>GRANT ALL ON *.* WITH GRANT OPTION</query></grants></{OWNER}>
    <{READER}><grants>{readable}</grants></{READER}>
  </roles>
  <users>
    <default>
      <password></password>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT {OWNER}</query><query>GRANT {READER}</query></grants>
      <databases><{DATABASE}>{policies}</{DATABASE}></databases>
    </default>
  </users>
</clickhouse>
"""
