"""How often Python looks for garbage in the exporter's process."""

import gc

_THRESHOLDS = (10_000, 5, 10)
"""Of `gc.set_threshold`. Between two looks about a thousand calls come; by default it is seventy. Most looks find
nothing, since reference counts free what calls hold. But what requests leave in cycles is large, and must not wait."""


def look_less_often() -> None:
    """Spare what is loaded already, and look less often at the rest. It concerns the whole process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
