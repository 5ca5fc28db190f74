"""What all tests share: Hypothesis without timing verdicts, since a busy machine is no fault of the code."""

from hypothesis import HealthCheck, settings

settings.register_profile("crane", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crane")
