"""What all tests have in common."""

from hypothesis import settings

# How long an example takes depends on the machine and on what else it does; a benchmark would measure it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
