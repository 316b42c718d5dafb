"""Output formats that an answer may have, with their content types."""

from llmlab_exporter.sql.failure import Failure

DEFAULT = "TabSeparated"
_BINARY = "application/octet-stream"
_CSV = "text/csv; charset=UTF-8; header=absent"
_CSV_NAMES = "text/csv; charset=UTF-8; header=present"
_JSON = "application/json; charset=UTF-8"
_NDJSON = "application/x-ndjson; charset=UTF-8"
_TEXT = "text/plain; charset=UTF-8"
_TSV = "text/tab-separated-values; charset=UTF-8"

_CONTENT_TYPES = {
    "Arrow": _BINARY,
    "ArrowStream": _BINARY,
    "CSV": _CSV,
    "CSVWithNames": _CSV_NAMES,
    "CSVWithNamesAndTypes": _CSV_NAMES,
    "JSON": _JSON,
    "JSONColumns": _JSON,
    "JSONColumnsWithMetadata": _JSON,
    "JSONCompact": _JSON,
    "JSONCompactColumns": _JSON,
    "JSONCompactEachRow": _NDJSON,
    "JSONCompactEachRowWithNames": _NDJSON,
    "JSONCompactEachRowWithNamesAndTypes": _NDJSON,
    "JSONCompactStrings": _JSON,
    "JSONEachRow": _NDJSON,
    "JSONStrings": _JSON,
    "JSONStringsEachRow": _NDJSON,
    "Markdown": _TEXT,
    "Native": _BINARY,
    "Null": _TEXT,
    "Parquet": _BINARY,
    "Pretty": _TEXT,
    "PrettyCompact": _TEXT,
    "RowBinary": _BINARY,
    "RowBinaryWithNames": _BINARY,
    "RowBinaryWithNamesAndTypes": _BINARY,
    "TSVRaw": _TSV,
    "TabSeparated": _TSV,
    "TabSeparatedRaw": _TSV,
    "TabSeparatedWithNames": _TSV,
    "TabSeparatedWithNamesAndTypes": _TSV,
    "Values": _TEXT,
    "Vertical": _TEXT,
    "XML": "application/xml; charset=UTF-8",
}
_BY_LOWER = {name.lower(): name for name in _CONTENT_TYPES} | {
    "tsv": "TabSeparated",
    "tsvwithnames": "TabSeparatedWithNames",
    "tsvwithnamesandtypes": "TabSeparatedWithNamesAndTypes",
    "jsonlines": "JSONEachRow",
    "ndjson": "JSONEachRow",
}


def find(name: str) -> str:
    """Return a format by its name in any case; raises `Failure`."""
    try:
        return _BY_LOWER[name.lower()]
    except KeyError:
        raise Failure(73, f"Unknown format {name[:100]}") from None


def content_type(name: str) -> str:
    """Return the content type of a format."""
    return _CONTENT_TYPES[name]
