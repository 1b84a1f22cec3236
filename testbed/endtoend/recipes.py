"""The two images that machines boot: Debian 12 as a host offers it, and one with the application and all it needs.

The plain one has cloud-init and nothing of ours; the packages that user data asks for lie beside it. The golden one is
what an operator makes of it so that boot is enrolling only: supervisord and the application are in it, and cloud-init
runs the modules that our user data needs and no others. What never happens here: a setting that only emulated machines
would have; what makes the golden one fast makes a rented machine fast.
"""

from __future__ import annotations

import shlex

from bootstrap import early
from bootstrap.application import HOME
from testbed.virtual.images import Recipe

SUITE = "bookworm"
PYTHON = "/opt/shop/bin/python"
"""The golden image's interpreter with the application."""
USER = "celery"
"""The worker's, as pools have it that name none."""

_SYSTEM = (
    "linux-image-cloud-amd64", "systemd-sysv", "udev", "dbus", "iproute2", "netbase", "procps", "sudo",
    "ca-certificates", "cloud-init", "openssh-server", "qemu-guest-agent",
)  # fmt: skip
_FOR_WORKERS = ("python3-venv", "supervisor", "ioping")
_BOOT = {
    # What the disk needs and no more: the initial system is a third of its usual size.
    "/etc/initramfs-tools/conf.d/machine": "MODULES=list\n",
    "/etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
}
_HOST = "datasource_list: [NoCloud, None]\nsystem_info: {network: {renderers: [networkd]}}\nlocale: C.UTF-8\n"
_GOLDEN = """\
# What a worker's user data needs, and nothing that is the same on every machine of an image.
cloud_init_modules: [bootcmd, write-files, set_hostname, update_hostname, users-groups, ssh]
cloud_config_modules: []
cloud_final_modules: [runcmd, package-update-upgrade-install, scripts-user, final-message]
ssh_genkeytypes: [ed25519]
"""
_NETWORK = ("systemctl enable systemd-networkd",)

PLAIN = Recipe(
    name="plain",
    suite=SUITE,
    packages=_SYSTEM,
    files={**_BOOT, "/etc/cloud/cloud.cfg.d/80_host.cfg": _HOST},
    commands=_NETWORK,
    offered=("python3", *_FOR_WORKERS, "git"),
)
GOLDEN = Recipe(
    name="golden",
    suite=SUITE,
    packages=(*_SYSTEM, *_FOR_WORKERS),
    files={
        **_BOOT,
        "/etc/cloud/cloud.cfg.d/80_host.cfg": _HOST,
        "/etc/cloud/cloud.cfg.d/90_golden.cfg": _GOLDEN,
        **{file.path: file.content for file in early.files()},
    },
    commands=(
        *_NETWORK,
        *(f"chmod {file.mode} {file.path}" for file in early.files()),
        *map(shlex.join, early.COMMANDS),
        f"useradd --system --no-create-home --home-dir {HOME} --shell /usr/sbin/nologin {USER}",
        # Nothing asks Debian for packages at boot, and nothing runs then that a worker does not need: least of all a
        # whole stage of cloud-init for no module.
        "systemctl disable apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer",
        "systemctl mask e2scrub_reap.service cloud-config.service",
        "python3 -m venv /opt/shop",
        "find /tmp/wheels -name '*.whl' -exec mv -t /tmp/wheels {} +",
        "/opt/shop/bin/pip --quiet install --no-index --find-links /tmp/wheels shop-tasks",
    ),
)
