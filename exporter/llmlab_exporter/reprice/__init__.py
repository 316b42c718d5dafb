"""Pricing history again, by the prices that are known now.

`request.py` says which calls, `reading.py` fetches them in chunks, `chunk.py` prices one chunk, `report.py` adds up
what that changes, `job.py` runs all of it beside the ingest and survives a crash (`ledger/changes.py`,
`store/changes.py`).
"""
