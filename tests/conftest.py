"""What every test shares: how hard hypothesis searches, and where the cached schema lies.

Fixtures live next to the tests that use them; builders are plain functions in modules of their own.
"""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

# Without a deadline, because two shared cores are sometimes slow; without dice, because a check that fails by chance
# costs more than it finds. `--hypothesis-profile=search` rolls them, for a developer who has the time.
settings.register_profile("check", max_examples=60, deadline=None, derandomize=True)
settings.register_profile(
    "search", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# `make fuzz`: as long as one likes, and what failed once is tried first the next time.
settings.register_profile(
    "fuzz",
    max_examples=int(os.environ.get("EXAMPLES") or 2_000),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)
settings.load_profile("check")

# `make test` fetches the schema and exports this; a test started by hand finds the cached copy.
os.environ.setdefault(
    "AUTOSCALER_CLOUD_INIT_SCHEMA",
    str(Path(__file__).parent.parent / "build" / "cloud-init" / "schema-cloud-config-v1.json"),
)
