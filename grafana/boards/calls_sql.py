"""What the SQL of all panels has in common: which calls count, and how money is added up.

`current_calls` is the latest version of every call. Money is Decimal(38, 24): it is summed up exactly, and becomes a
float only for the picture. A call without a price has no cost, not the cost 0: sums leave it out, and panels count it.
"""

CHOSEN = """org IN (${org:singlequote}) AND project IN (${project:singlequote})
  AND service_name IN (${service_name:singlequote}) AND environment IN (${environment:singlequote})
  AND provider IN (${provider:singlequote}) AND model IN (${model:singlequote})"""
"""What the reader chose."""

A_CALL = "duplicate_of IS NULL AND (billable OR outcome = 'error')"
"""Neither a second record of a call nor a span around calls; failed calls are calls."""

WHICH = f"{CHOSEN}\n  AND {A_CALL}"
"""The calls that the reader chose, of any time."""

CALLS = f"$__timeFilter_ms(started_at)\n  AND {WHICH}"
"""The calls of the range."""

RANGE_S = "dateDiff('second', $__fromTime_ms, $__toTime_ms)"
BEFORE = f"subtractSeconds($__fromTime_ms, {RANGE_S})"
"""Where the period before begins, which is as long as the range."""

CALLS_AND_BEFORE = f"started_at >= {BEFORE} AND started_at <= $__toTime_ms\n  AND {WHICH}"
"""The calls of the range and of the period before it."""

IN_RANGE = "started_at >= $__fromTime_ms"
"""Tells the range from the period before."""

SPEND = "toFloat64(sum(cost_usd))"
UNPRICED = "countIf(billable AND cost_usd IS NULL)"
TOKENS = "ifNull(input_tokens, 0) + ifNull(output_tokens, 0)"
SECONDS_EACH = "dateDiff('millisecond', started_at, ended_at) / 1000"


def named(column: str) -> str:
    """Show a column, with a word where it is empty."""
    return f"if({column} = '', '(none)', {column})"


def unit_price(part: str) -> str:
    """Read the list price of one unit of a part of the usage off the row's rate, NULL when the rate does not say."""
    return f"toFloat64OrNull(extract(rate, '(?:^| ){part}(?:[+-][^: ]*)?:([0-9.]+)'))"


DISCOUNTED = (
    "if(rate LIKE '%*%', toFloat64OrZero(extract(rate, '[*]([0-9]+)')) / toFloat64OrZero(if(rate LIKE '%*%/%', "
    "extract(rate, '[*][0-9]+/([0-9]+)'), '1')), 1)"
)
"""What a discount such as `*19/20` at the end of a rate leaves of the list price."""
