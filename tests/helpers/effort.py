"""How many examples hypothesis tries: `pytest --hypothesis-profile=quick`, or `thorough`."""

from hypothesis import HealthCheck, settings

#: What a test gets in the usual profile if it asks for nothing.
USUAL = 25
PROFILES = {"spitgraph": USUAL, "quick": 5, "thorough": 40 * USUAL}


def register_profiles():
    for name, max_examples in PROFILES.items():
        settings.register_profile(
            name,
            max_examples=max_examples,
            deadline=None,
            derandomize=True,
            # fixtures here choose a code path for a whole test, and hold nothing examples change
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )
    settings.load_profile("spitgraph")


def examples(count):
    """`@examples(100)`: so many in the usual profile, in proportion in the others."""
    return settings(max_examples=max(1, count * settings.default.max_examples // USUAL))
