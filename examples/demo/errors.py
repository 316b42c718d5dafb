"""What can go wrong in the demo."""


class DemoError(Exception):
    """Something did not start, did not end well, or did not add up."""
