"""The program's door: what it is asked to do by its first argument, and its exit code.

Without one it makes this machine a worker; running it again does no harm. `keep-lease` is for the keeper to run.
"""

from __future__ import annotations

import os

from bootstrap.assets.enrol import enrolment, machine, reports


def main(mode: str = "") -> int:
    """The exit code."""
    os.umask(0o022)
    os.environ["PATH"] = (
        f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
    )
    settings = machine.Settings()
    if settings.keeper == "systemd":
        from bootstrap.assets.enrol import systemd as keeper  # noqa: PLC0415 - only one of them is packed
    else:
        from bootstrap.assets.enrol import supervisord as keeper  # type: ignore[no-redef] # noqa: PLC0415
    told = reports.Reports(settings)
    if settings.credentials == "node":
        from bootstrap.assets.enrol import grant  # noqa: PLC0415

        told.url = grant.taken(settings) or told.url
    if mode == "keep-lease":
        from bootstrap.assets.enrol import lease  # noqa: PLC0415

        lease.keep(settings, keeper, told)
    return enrolment.become_worker(settings, keeper, told)
