"""JSON in which money keeps every digit: a number, never a float."""

from typing import Any

import orjson
from starlette.responses import Response

from llmlab.money import plain


def money(yocto: int | None) -> orjson.Fragment | None:
    """Write yocto-USD as an exact JSON number in USD; unknown is null."""
    text = plain(yocto)
    return None if text is None else orjson.Fragment(text)


class ExactJSON(Response):
    """A JSON answer that may contain `money`."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the content, indented, since people read it with curl."""
        return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def bad_request(message: str, hint: str) -> ExactJSON:
    """Say which parameter is wrong and what would be right."""
    return ExactJSON({"error": message, "hint": hint}, status_code=400)
