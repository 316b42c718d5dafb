"""What an instrumentation costs inside the application; `benchmarks/overhead.py` runs it."""
