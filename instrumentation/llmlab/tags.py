"""What a call is attributed to: names and values as they may stand on a span.

Tags go to a database and perhaps to metric labels, so names and values are bounded here, where they enter.
"""

import logging
import re
from collections.abc import Mapping
from urllib.parse import unquote
from uuid import UUID

from llmlab import semconv

MAX_VALUE_CHARS = 256
"""The exporter reads no more of a text."""
MAX_TAGS = 32
"""Of one call."""

Tags = Mapping[str, str]
"""Values by the name of the attribute that carries them."""

Value = str | int | float | bool | UUID | None
"""What a tag may be set to; None says nothing."""

NO_TAGS: Tags = {}

_DIMENSIONS = {
    "feature": semconv.FEATURE,
    "user": semconv.USER,
    "run": semconv.RUN,
    "session": semconv.SESSION,
    "project": semconv.PROJECT,
}
_NAMES = {attribute: name for name, attribute in _DIMENSIONS.items()}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")

_logger = logging.getLogger("llmlab")
_logged: set[str] = set()


def tags_of(said: Mapping[str, object]) -> dict[str, str]:
    """Return names and values as attributes. What cannot be used is left out, and logged once for each name."""
    usable: dict[str, str] = {}
    for name, value in said.items():
        if value is None or value == "":
            continue
        problem = _problem(name, value) or ("there are too many" if len(usable) == MAX_TAGS else "")
        if problem:
            _log_once(name, problem)
        else:
            usable[attribute_of(name)] = _text(value)
    return usable


def attribute_of(name: str) -> str:
    """Return the attribute that carries a tag: `llmlab.feature`, or `llmlab.tag.team` for one of the user's own."""
    return _DIMENSIONS.get(name) or semconv.TAG_PREFIX + name


def name_of(attribute: str) -> str:
    """Return the tag that an attribute carries: the reverse of `attribute_of`."""
    return _NAMES.get(attribute) or attribute.removeprefix(semconv.TAG_PREFIX)


def parse(text: str) -> dict[str, str]:
    """Read `feature=search,team=core`; commas and equals signs inside a value are percent-encoded."""
    said: dict[str, object] = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        name, equals, value = pair.partition("=")
        if equals:
            said[name.strip()] = unquote(value.strip())
        else:
            _log_once(pair, "it has no value; write it like feature=search")
    return tags_of(said)


def _problem(name: object, value: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return "a name has up to 64 letters, digits, '_', '.' and '-', and begins with a letter"
    if not isinstance(value, str | int | float | UUID):
        return f"its value is a {type(value).__name__}, not a text or a number"
    if isinstance(value, int) and value.bit_length() > MAX_VALUE_CHARS:
        return "its value is a number of too many digits"  # Python refuses to write down very long ones
    text = _text(value)
    if len(text) > MAX_VALUE_CHARS:
        return f"its value has {len(text)} characters, and {MAX_VALUE_CHARS} are allowed"
    return "" if text.isprintable() else "its value has characters that cannot be printed"


def _text(value: object) -> str:
    # Of an enumeration whose members are texts, str() would give the member's name.
    return str.__str__(value) if isinstance(value, str) else str(value)


def _log_once(name: object, problem: str) -> None:
    shown = repr(name)[:MAX_VALUE_CHARS]
    if shown not in _logged and len(_logged) < MAX_TAGS:
        _logged.add(shown)
        _logger.warning("llmlab leaves out the tag %s: %s", shown, problem)
