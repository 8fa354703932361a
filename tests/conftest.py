"""What holds for every test. Fixtures of one room stand in that room's folder."""

from hypothesis import settings

# No time limit per example: a busy machine is not a fault, and speed belongs in `benchmarks/`.
settings.register_profile("smsledger", settings(), deadline=None)
settings.load_profile("smsledger")
