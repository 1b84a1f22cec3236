"""The program's other door, for an image: installs what every machine of a pool needs, and makes no worker of this one.

It is packed with `machine` and `installing` alone, and never part of user data. In goes a machine.json without node,
token or broker; out come packages and an application where `enrolment` will find them. What never happens here: a
report to anybody.
"""

from __future__ import annotations

from bootstrap.assets.enrol import installing, machine


def main() -> int:
    """The exit code."""
    settings = machine.Settings()
    for step in (installing.packages, installing.application):
        try:
            machine.say(f"{step.__name__}: {step(settings)}")
        except machine.Failed as error:
            machine.say(f"{step.__name__}: FAILED: {error}")
            return 1
    return 0
