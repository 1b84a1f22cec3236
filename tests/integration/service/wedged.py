"""The real daemon, one of whose ticks never ends. Run as `python -m tests.integration.service.wedged N PATIENCE_S`.

Its N-th tick waits for what does not come, and patience is as short as a test's. Nothing else differs from
`autoscaler run`.
"""

from __future__ import annotations

import sys
import threading

from autoscaler import vigil
from autoscaler.cli import main
from autoscaler.loop import Loop
from autoscaler.telling import Tick

if __name__ == "__main__":
    last, vigil.PATIENCE_S = int(sys.argv[1]), float(sys.argv[2])
    ticks, real = 0, Loop.tick

    def tick(loop: Loop) -> Tick:
        global ticks  # noqa: PLW0603 - one daemon, one process
        ticks += 1
        if ticks == last:
            threading.Event().wait()
        return real(loop)

    Loop.tick = tick  # type: ignore[method-assign] # in this process alone
    sys.argv[1:] = ["run"]
    main()
