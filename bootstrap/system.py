"""What a machine is told besides its work: the way to packages, the clock, and that upgrades wait until it works.

In goes a `WorkerSpec`, out come sections of cloud-config and files, which cloud-init carries out before our own program
begins. What never happens here: a password in a command or in a file that others than root can read.
"""

from __future__ import annotations

from typing import Any

from bootstrap import addresses, assets
from bootstrap.contract import File, IpVersion, System

APT_CONF = "/etc/apt/apt.conf.d/95autoscaler"
GAI_CONF = "/etc/gai.conf"

_TIMERS = "apt-daily.timer apt-daily-upgrade.timer"
_TIME_ZONE = """\
set -eu
test -e "/usr/share/zoneinfo/$1"
ln -snf "/usr/share/zoneinfo/$1" /etc/localtime
echo "$1" >/etc/timezone
"""
"""Here and not by cloud-init's key for it: whoever makes an image for speed leaves that module out."""


def sections(system: System) -> dict[str, Any]:
    """What cloud-init does before all else, each once: a machine that is started again keeps what it has become."""
    # Before any timer has started. Lost at the next start of the machine, so one that fails keeps its upgrades.
    first = [_once("upgrades-wait", f"systemctl mask --runtime --now --no-block {_TIMERS} || true")]
    found: dict[str, Any] = {}
    if system.apt_mirror:
        security = system.apt_security_mirror or system.apt_mirror
        first.append(_once("mirror", assets.fill("use-mirror"), "use-mirror", system.apt_mirror, security))
        # On Ubuntu cloud-init would write the distribution's own sources again.
        found["apt"] = {"preserve_sources_list": True}
    if system.time_zone:
        first.append(_once("time-zone", _TIME_ZONE, "time-zone", system.time_zone))
    return {"bootcmd": first, **found}


def last_commands(system: System) -> list[list[str]]:
    """What runs when the machine works: upgrades begin, unless they are off."""
    if not system.upgrades_after_boot:
        return []
    line = f"systemctl unmask --runtime {_TIMERS} && systemctl --no-block start {_TIMERS} || true"
    return [["sh", "-c", line]]


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


def _once(name: str, script: str, *arguments: str) -> list[str]:
    """cloud-init runs `bootcmd` on every start; its own helper keeps this to the first."""
    return ["cloud-init-per", "instance", f"autoscaler-{name}", "sh", "-c", script, *arguments]
