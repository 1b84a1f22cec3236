"""What lets machines of a golden image begin to enrol before they have a network: files of the image, and its switch.

Nothing of it is in user data, and it serves every pool: what a machine becomes, and whether this is for it at all, its
user data says (`assets/enrol/early`). What never happens here: a value of a pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bootstrap import assets, program
from bootstrap.contract import File, Keeper

_LIB = "/usr/local/lib/autoscaler-early"
"""Beside and not below what user data brings, which an image does not keep."""
_TOOLS = ("supervisorctl", "systemctl")
_ETC = "/etc/systemd"
_UNITS = {"autoscaler-early.service": "early-service", "autoscaler-early-keeper.service": "early-keeper"}
_SETTINGS = {
    # Its restart would take away the rules that shut the metadata service for the worker's user.
    "networkd.conf.d/90-autoscaler.conf": "[Network]\nManageForeignRoutingPolicyRules=no\n",
    # Its second stage makes keys and names while the worker comes up, which can wait where both want a processor.
    "system/cloud-init.service.d/90-autoscaler.conf": "[Service]\nCPUWeight=5\n",
}

COMMANDS: tuple[tuple[str, ...], ...] = (("systemctl", "enable", *_UNITS),)
"""The switch, once the files are there."""


def hindrance(told: Mapping[str, Any]) -> str:
    """The setting in a machine.json for which its machine enrols as on any image; empty if there is none. What else may
    be against it, in the image or in the worker's environment, the machine finds."""
    late = [key for key in ("commands_before", "commands_after", "lease") if told.get(key)]
    if told.get("keeper", Keeper.SUPERVISORD) != Keeper.SUPERVISORD:
        late.append("keeper")
    return late[0] if late else ""


def files() -> tuple[File, ...]:
    """For root to write, readable by all."""
    tools = assets.fill("early-tools", comments=True)
    enrol = program.packed(("machine", "supervisord", "early"))
    return (
        File(path=f"{_LIB}/enrol", content=enrol, mode="0755"),
        File(path=f"{_LIB}/wait-worker", content=assets.fill("wait-worker", comments=True), mode="0644"),
        *(File(path=f"{_LIB}/bin/{name}", content=tools, mode="0755") for name in _TOOLS),
        *(
            File(path=f"{_ETC}/system/{name}", content=assets.fill(asset, comments=True), mode="0644")
            for name, asset in _UNITS.items()
        ),
        *(File(path=f"{_ETC}/{path}", content=text, mode="0644") for path, text in _SETTINGS.items()),
    )
