"""What dialects have in common: which values can be believed, and the words of the GenAI conventions."""
