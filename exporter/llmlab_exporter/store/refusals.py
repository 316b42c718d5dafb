"""Whether the store refuses rows for what is in them, or is merely away, full or damaged."""

import re

_CODE = re.compile(r"\bCode: (\d+)\b")

FOR_GOOD = {
    6: "CANNOT_PARSE_TEXT",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    131: "TOO_LARGE_STRING_SIZE",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    407: "DECIMAL_OVERFLOW",
    467: "CANNOT_PARSE_BOOL",
    469: "VIOLATED_CONSTRAINT",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}
"""Error codes of ClickHouse (src/Common/ErrorCodes.cpp) that are about values. Trying again does not help against them.

All others may pass, or need somebody who repairs the store: no network, no room, too many parts, a table or a column
that is gone. Rows wait for that.
"""


def is_for_good(error: Exception) -> bool:
    """Say whether an error of an insert is about the values of some row."""
    found = _CODE.search(str(error))
    return found is not None and int(found[1]) in FOR_GOOD
