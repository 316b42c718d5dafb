"""What a budget is: a limit in USD on the calls of a scope, for a period.

    amounts.py   exact amounts: integer nano-USD
    periods.py   which stretch of time a moment belongs to, in which time zone
    scope.py     which calls count
    budget.py    the three of them together, with a name
    reading.py   a budget from what people write, and what is wrong with it

Pure functions and values, of the standard library alone, so that whoever keeps sums by them agrees with whoever stops
calls by them. A soft budget is watched: the exporter says how much of it is spent. A hard one stops calls, which this
version does not do yet; scopes and periods that only make sense for those are refused in words.
"""

from llmlab.budgets.budget import DEFAULT_THRESHOLDS, Budget
from llmlab.budgets.periods import Window
from llmlab.budgets.reading import BadBudget, Fault, read_budget
from llmlab.budgets.scope import EVERYTHING, Scope

__all__ = ["DEFAULT_THRESHOLDS", "EVERYTHING", "BadBudget", "Budget", "Fault", "Scope", "Window", "read_budget"]
