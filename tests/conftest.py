from hypothesis import settings

# A deadline per example would time the machine, not the code.
settings.register_profile("default", deadline=None)
settings.load_profile("default")
