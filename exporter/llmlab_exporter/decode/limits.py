"""How large a request may be in other terms than bytes, which the receivers limit.

A few bytes of an empty message become hundreds in memory, so 16 MiB of them would be gigabytes.
"""

MAX_SPANS = 65_536
"""Of one request. SDKs send 512; a Collector batches 8,192 and adds to them whatever one request brings."""

MAX_ATTRIBUTES = 65_536
"""Of one span. SDKs allow 128 by default; instrumentations that flatten whole conversations write thousands."""

MAX_ELEMENTS = 10_000
"""Of one list among the wanted attribute values. What is wanted has one or two."""

MAX_DEPTH = 32
"""Of lists within lists in an attribute value."""

MAX_JSON_OBJECTS = 2_000_000
"""Of one request, lists included. A body of 16 MiB that says something has 300,000, and braces in prompts count too."""
