"""From a wrapped function to a settled span: what all providers share.

    patching -> wrapping -> recording -> streams, managers, raw_responses

`patching` puts wrappers around an SDK's functions and takes them off again; `wrapping` is the one wrapper; `recording`
is the span of one call; the rest carries a call to its end when the end comes later. `faults` keeps our own failures
out of somebody else's program.
"""
