"""What the PromQL of all panels has in common."""

from boards.variables import DIMENSIONS

CHOSEN_LABELS = ", ".join(f'{name}=~"${name}"' for name in DIMENSIONS)
"""What the reader chose, as matchers."""
