#!/bin/sh
# cloud-init-schema.sh FILE puts cloud-init's own JSON schema of cloud-config into FILE, so that tests can hold what we
# render against it. cloud-init itself is never installed: on a developer's machine it would reconfigure the machine.
set -eu

target=$1
name=schema-cloud-config-v1.json
work=$(dirname "$target")
installed=/usr/lib/python3/dist-packages/cloudinit/config/schemas/$name
mkdir -p "$work"

if [ -e "$installed" ]; then
    cp "$installed" "$target"
    exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "cloud-init's schema is needed at $target, and this system has no apt-get to fetch it with." >&2
    exit 1
fi

scratch=$(mktemp -d "$work/download.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
fetch() { (cd "$scratch" && apt-get -q -o APT::Sandbox::User=root download cloud-init); }
update() {
    if [ "$(id -u)" = 0 ]; then apt-get -q update; else sudo -n apt-get -q update; fi
}
fetch >/dev/null 2>&1 || { update >/dev/null && fetch >/dev/null; } || {
    echo "The package cloud-init could not be downloaded (it holds the schema). Run: sudo apt-get update" >&2
    exit 1
}
dpkg-deb -x "$scratch"/cloud-init_*.deb "$scratch/tree"
mv "$scratch/tree$installed" "$target"
