import signal

from hypothesis import HealthCheck, settings

# A deadline per example would time the machine, not the code, and so would the check that examples are made fast.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

# A shell lets what it runs in the background ignore Ctrl-C, and so would the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
