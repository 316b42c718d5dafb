"""Budgets over several exporters: each publishes what its own ledger has of them, and adds what the others publish.

    share.py      what one ledger has of a budget; the sum of several
    presence.py   who publishes, since when, and whether it still does
    board.py      where all of them read and write; `redis_board.py` is the one there is
    others.py     what the others published, as far as it is known
    records.py    budgets that were set by command or request, of which the latest version holds everywhere
    sharing.py    the thread that publishes and reads
    collector.py  how well that goes, for Prometheus

What is published is absolute: the sums of a ledger, never an increment. So publishing twice, again after a crash, or
into a Redis that has lost its memory leads to the same, and a ledger that is restored from a backup is right at once.
"""
