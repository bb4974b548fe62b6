"""What holds for every test: property tests are never failed for being slow on a busy machine.

``pytest --hypothesis-profile=thorough`` looks twenty times longer for a counterexample.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=2000)
settings.load_profile("usual")
