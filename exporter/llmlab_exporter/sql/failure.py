"""What goes wrong with a statement, as ClickHouse tells it: a code, its name, and a message."""

import re

_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")
_NAME = re.compile(r" \(([A-Z][A-Z0-9_]+)\)\s*$")
_VERSION = re.compile(r" \(version [^()]*(?:\([^()]*\))?\)\.?")
_OUR_WRAPPING = re.compile(r": In scope SELECT (?:parseQueryToJSON|formatQuery\w+)\(.*", re.DOTALL)
_SCOPE = re.compile(r"llmlab:[0-9a-f*]*:[0-9a-f*]*")

_NAMES = {
    36: "BAD_ARGUMENTS",
    48: "NOT_IMPLEMENTED",
    62: "SYNTAX_ERROR",
    73: "UNKNOWN_FORMAT",
    81: "UNKNOWN_DATABASE",
    115: "UNKNOWN_SETTING",
    164: "READONLY",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    210: "NETWORK_ERROR",
    396: "TOO_MANY_ROWS_OR_BYTES",
    446: "FUNCTION_NOT_ALLOWED",
    497: "ACCESS_DENIED",
    516: "AUTHENTICATION_FAILED",
    1001: "STD_EXCEPTION",
}
_STATUS = {
    60: 404,  # UNKNOWN_TABLE
    46: 404,  # UNKNOWN_FUNCTION
    47: 404,  # UNKNOWN_IDENTIFIER
    81: 404,
    48: 501,
    159: 408,  # TIMEOUT_EXCEEDED
    164: 403,
    202: 503,
    210: 503,
    241: 500,  # MEMORY_LIMIT_EXCEEDED
    396: 400,
    446: 403,
    497: 403,
    516: 403,
    1001: 500,
}


class Failure(Exception):
    """A statement that is refused or fails. `code` is ClickHouse's."""

    def __init__(self, code: int, message: str, name: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.name = name or _NAMES.get(code, "")

    @property
    def status(self) -> int:
        """The status of the HTTP answer. Statements that are wrong are the client's: 400."""
        return _STATUS.get(self.code, 400)

    def text(self, version: str) -> str:
        """Return the answer's body, as clients of ClickHouse parse it."""
        return f"Code: {self.code}. DB::Exception: {self}. ({self.name}) (version {version} (LLMLab embedded))\n"


def of_engine(error: Exception) -> Failure:
    """Turn the engine's exception into a failure; a message without a code becomes 1001."""
    text = str(error).strip()
    codes = _CODE.findall(text)
    if not codes:
        return Failure(1001, text)
    name = _NAME.search(text)
    message = _NAME.sub("", _CODE.sub("", text))
    message = _SCOPE.sub("...", _OUR_WRAPPING.sub("", _VERSION.sub("", message)))
    while name and message.endswith(f"({name[1]})"):
        message = message.removesuffix(f"({name[1]})").rstrip()
    return Failure(int(codes[-1]), message.rstrip(". "), name[1] if name else "")
