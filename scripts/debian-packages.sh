#!/bin/sh
# debian-packages.sh PACKAGE… installs the Debian packages that are missing, if it may (root or passwordless sudo), and
# keeps their services from starting: tests and the quickstart start private servers of their own.
# A package that is already there is left alone, its service too. Exits 1 and says what to install when it may not.
set -eu

missing=
for package in "$@"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
        echo "These packages are missing and may not be installed from here. Run: sudo apt-get install$missing" >&2
        exit 1
    fi
    as_root="sudo -n"
fi
if ! command -v apt-get >/dev/null; then
    echo "These packages are missing, and this system has no apt-get to install them with:$missing" >&2
    exit 1
fi

policy=/usr/sbin/policy-rc.d # what package scripts ask before they start a service; 101 means "not allowed"
placed=
remove_policy() {
    if [ -n "$placed" ]; then $as_root rm -f "$policy"; fi
}
trap remove_policy EXIT
trap 'exit 130' INT TERM
if [ ! -e "$policy" ]; then
    placed=yes
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

install() {
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@" </dev/null
}
echo "Installing Debian packages:$missing"
# The package lists may be absent or older than the archive; only then are they fetched.
# shellcheck disable=SC2086  # a list of package names, meant to be split
install $missing >/dev/null 2>&1 || { $as_root apt-get -q update >/dev/null && install $missing; }

# Where systemd runs, installing a service also enables it for the next boot; nobody asked for that.
if [ -d /run/systemd/system ]; then
    for package in $missing; do
        $as_root systemctl disable --quiet "$package.service" 2>/dev/null || true
    done
fi
