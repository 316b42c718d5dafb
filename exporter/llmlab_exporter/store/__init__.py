"""Where every call is kept for questions: ClickHouse, embedded (chDB) or a server. The same SQL runs on both.

`schema.py` holds the tables, `store.py` the client, `flusher.py` the thread that moves rows out of the ledger,
`changes.py` new versions of stored calls, `calls.py` questions about single ones.
"""
