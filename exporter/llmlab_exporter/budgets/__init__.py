"""Soft budgets: how much of each limit is spent, exactly, and where it will end.

    file.py        `budgets.yaml`, with the line of every mistake
    registry.py    all budgets: those of the file, and those set by command or request
    spending.py    what the ledger says was spent at a moment
    tracker.py     sums per budget that follow every commit
    watch.py       one budget and its sums
    forecast.py    where the spend will end: formulas
    status.py      what is to be said of a budget
    collector.py   the same for Prometheus

What a budget is, and which calls it counts, says `llmlab.budgets`.
"""
