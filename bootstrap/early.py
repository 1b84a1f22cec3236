"""What lets machines of a golden image begin to enrol before they have a network: files of the image, and its switch.

Nothing of it is in user data, and it serves every pool: what a machine becomes, and whether this is for it at all, its
user data says (`assets/enrol/early`). What never happens here: a value of a pool.
"""

from __future__ import annotations

from bootstrap import assets, program
from bootstrap.contract import File

_LIB = "/usr/local/lib/autoscaler-early"
"""Beside and not below what user data brings, which an image does not keep."""
_TOOLS = ("supervisorctl", "systemctl")
_NETWORKD = "[Network]\nManageForeignRoutingPolicyRules=no\n"
"""A restart of systemd-networkd would take away the rules that shut the metadata service for the worker's user."""

COMMANDS: tuple[tuple[str, ...], ...] = (("systemctl", "enable", "autoscaler-early.service"),)
"""The switch, once the files are there."""


def files() -> tuple[File, ...]:
    """For root to write, readable by all."""
    tools = assets.fill("early-tools", comments=True)
    return (
        File(path=f"{_LIB}/enrol", content=program.packed(("machine", "supervisord", "early")), mode="0755"),
        File(path=f"{_LIB}/wait-worker", content=assets.fill("wait-worker", comments=True), mode="0644"),
        *(File(path=f"{_LIB}/bin/{name}", content=tools, mode="0755") for name in _TOOLS),
        File(
            path="/etc/systemd/system/autoscaler-early.service",
            content=assets.fill("early-service", comments=True),
            mode="0644",
        ),
        File(path="/etc/systemd/networkd.conf.d/90-autoscaler.conf", content=_NETWORKD, mode="0644"),
    )
