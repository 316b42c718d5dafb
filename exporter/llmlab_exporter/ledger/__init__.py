"""The exporter's own durable book, one SQLite file: what was acknowledged, seen, summed up and is still to be stored.

Every effect of a batch (dedupe keys, totals, rows for the store) is one transaction, and a sender gets its
acknowledgement after that transaction is on disk. So a crash at any instant leaves either all of a span or nothing,
and a sender that never got its answer may send again without being counted twice.

`book.py` holds the transactions, `writer.py` the one thread that runs them, `schema.py` the tables, `summary.py` the
questions that the API asks, `changes.py` the changes of stored calls that are under way, `dead_letters.py` the rows
that the store refused for good.
"""
