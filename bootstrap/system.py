"""What a machine is told besides its work: the way to packages, the clock, and that upgrades wait until it works.

In goes a `WorkerSpec`'s system, out come files and commands for root. What never happens here: a password in a command
or in a file that others than root can read.
"""

from __future__ import annotations

import shlex

from bootstrap import addresses
from bootstrap.contract import File, IpVersion, System

APT_CONF = "/etc/apt/apt.conf.d/95autoscaler"
GAI_CONF = "/etc/gai.conf"
USE_MIRROR = "/usr/local/lib/autoscaler/use-mirror"

_TIMERS = "apt-daily.timer apt-daily-upgrade.timer"
UPGRADES_WAIT = f"cloud-init-per instance upgrades systemctl mask --runtime {_TIMERS}"
"""For cloud-init's `bootcmd`, which comes before any timer has started. The next start of the machine has forgotten it,
so one whose boot fails keeps its upgrades."""


def first_commands(system: System) -> list[str]:
    """What must be done before anything is installed, and may be done again."""
    lines = []
    if system.time_zone:
        zone = f"/usr/share/zoneinfo/{system.time_zone}"
        lines.append(
            f"test -e {zone} && ln -snf {zone} /etc/localtime && echo {system.time_zone} >/etc/timezone"
        )
    if system.apt_mirror:
        security = system.apt_security_mirror or system.apt_mirror
        lines.append(shlex.join(["sh", USE_MIRROR, system.apt_mirror, security]))
    return lines


def last_commands(system: System) -> list[str]:
    """What runs when the machine works: upgrades begin, unless they are off."""
    if not system.upgrades_after_boot:
        return []
    return [f"set -- {_TIMERS}; systemctl unmask --runtime $@; systemctl start $@"]


def files(system: System) -> tuple[File, ...]:
    """The settings of apt and of the resolver."""
    found = []
    if apt := _apt_conf(system):
        # Who may not read it is warned by apt and told nothing.
        mode = "0600" if addresses.holds_credentials(system.proxy) else "0644"
        found.append(File(path=APT_CONF, content=apt, mode=mode))
    if system.ip_version is IpVersion.IPV4:
        # With it everything on the machine tries IPv4 first; IPv6 comes first by itself where there is any.
        found.append(File(path=GAI_CONF, content="precedence ::ffff:0:0/96 100\n", mode="0644"))
    return tuple(found)


def _apt_conf(system: System) -> str:
    settings: dict[str, str] = {}
    if system.proxy:
        settings |= {"Acquire::http::Proxy": system.proxy, "Acquire::https::Proxy": system.proxy}
    match system.ip_version:
        case IpVersion.IPV4:
            settings["Acquire::ForceIPv4"] = "true"
        case IpVersion.IPV6:
            settings["Acquire::ForceIPv6"] = "true"
        case IpVersion.ANY:
            pass
    if not system.upgrades_after_boot:
        settings["APT::Periodic::Enable"] = "0"
    return "".join(f'{name} "{value}";\n' for name, value in settings.items())
