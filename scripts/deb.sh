#!/bin/sh
# deb.sh [DIRECTORY] makes the Debian package, into build/ or that directory, for this computer's own /usr/bin/python3 and
# architecture, and prints its path. Needs .venv and dpkg-deb; no root.
# WHEELS=DIRECTORY takes other people's packages from there and asks no index. REQUIREMENTS=FILE are other pins than
# requirements/package.txt (an empty file: none). VERSION=1.2-1 is another Debian version than the program's own.
set -eu
cd "$(dirname "$0")/.."

target=${1:-build}
requirements=${REQUIREMENTS:-requirements/package.txt}
python=/usr/bin/python3
home=/usr/lib/autoscaler # where it will be: the environment is made for that place, and for no other
mkdir -p "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
root=$work/root
umask 022
unset PYTHONPATH PYTHONHOME # what lies there is no part of the environment

release=$($python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
next=$($python -c 'import sys; print("%d.%d" % (sys.version_info[0], sys.version_info[1] + 1))')
packages=$root$home/lib/python$release/site-packages

# The moment of the last commit, so that one commit makes one package, byte for byte.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# ---- The environment: Python's own `venv`, without what names the place where it was made.
mkdir -p "$root$home"
$python -m venv --without-pip "$root$home"
rm -f "$root$home/lib64"
rm -rf "$root$home/include"
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = %s\n' "$release" >"$root$home/pyvenv.cfg"

pip() { # for the Python that will run it, which knows what does
    .venv/bin/python -m pip --python "$root$home/bin/python" --disable-pip-version-check --quiet \
        install --no-compile --no-deps --no-warn-script-location "$@" >&2
}
if [ -s "$requirements" ]; then
    if [ -n "${WHEELS:-}" ]; then set -- --no-index --find-links "$WHEELS"; else set --; fi
    pip "$@" --only-binary :all: --require-hashes -r "$requirements"
fi
mkdir "$work/source" # a build in the tree would take up what former builds left there
cp -R autoscaler providers policies bootstrap pyproject.toml README.md LICENSE "$work/source"
.venv/bin/python -m pip --disable-pip-version-check --quiet wheel --no-deps --no-build-isolation \
    --wheel-dir "$work/dist" "$work/source" >&2
pip --no-index --find-links "$work/dist" vps-autoscaler
ln -sf ../../../bin/python3 "$root$home/bin/python3" # as Debian wants links within one top directory
find "$root$home/bin" -type f -delete # they name the place where they were made
rm -rf "$packages/libcloud/test" # four of five files are fixtures of libcloud's own tests
find "$root$home" -name direct_url.json -delete
find "$root$home" -type d -name __pycache__ -prune -exec rm -rf {} +
find "$packages" -name '*.so*' -type f -exec chmod 0644 {} +
sed -i '/direct_url\.json,\|__pycache__\/\|^\.\.\/\.\.\/\.\.\/bin\/\|^libcloud\/test\//d' "$packages"/*.dist-info/RECORD
cat >"$root$home/bin/autoscaler" <<END
#!$home/bin/python
from autoscaler.cli import main

main()
END
chmod 0755 "$root$home/bin/autoscaler"

# ---- Around it: what deploy/ has for an installation by hand, with the package's paths in it.
placed() { # MODE SOURCE TARGET
    mkdir -p "$root$(dirname "$3")"
    sed "s#/opt/autoscaler/#$home/#g" "$2" >"$root$3"
    if grep -q /opt/autoscaler "$root$3"; then
        echo "deb.sh: $2 names /opt/autoscaler in a way that is not understood here" >&2
        exit 1
    fi
    chmod "$1" "$root$3"
}
doc=/usr/share/doc/autoscaler
placed 0755 deploy/autoscaler /usr/bin/autoscaler
placed 0644 deploy/autoscaler.service /lib/systemd/system/autoscaler.service
placed 0644 deploy/supervisor.conf $doc/examples/supervisor.conf
install -D -m 0644 deploy/debian/copyright "$root$doc/copyright"
install -D -m 0644 deploy/debian/lintian-overrides "$root/usr/share/lintian/overrides/autoscaler"
install -D -m 0644 deploy/debian/environment "$root/usr/share/autoscaler/environment"
install -m 0644 config.example.toml "$root/usr/share/autoscaler/config.toml"
grep -q "^ExecStart=$home/bin/autoscaler " "$root/lib/systemd/system/autoscaler.service"
for page in docs/*.md; do install -D -m 0644 "$page" "$root$doc/$(basename "$page")"; done

own=$(sed -n 's/^Version: //p' "$packages"/vps_autoscaler-*.dist-info/METADATA | head -1)
# 1.0rc1 comes before 1.0: Debian says so with a tilde.
version=${VERSION:-$(echo "$own" | sed -E 's/\.?(a|b|rc|dev)([0-9]+)/~\1\2/g')-1}
author='The autoscaler authors <maintainers@users.noreply.github.com>'
printf 'autoscaler (%s) unstable; urgency=medium\n\n  * Release %s; CHANGELOG.md says what changes.\n\n -- %s  %s\n' \
    "$version" "$own" "$author" "$(LC_ALL=C date -R -u -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$root$doc/changelog.Debian.gz"
gzip -9n <CHANGELOG.md >"$root$doc/changelog.gz"

# ---- What its compiled parts need, by the packages of this computer that have it.
libraries() {
    find "$root$home" -name '*.so*' -type f -exec ldd {} + 2>/dev/null |
        sed -n 's#.* => \(/[^ ]*\) (.*#\1#p' | { grep -v "^$root" || true; } | sort -u
}
needed=$(libraries | while read -r path; do
    dpkg-query -S "$(readlink -f "$path")" 2>/dev/null || dpkg-query -S "*/$(basename "$path")"
done | sed 's/:.*//' | sort -u | sed 's/^/, /' | tr -d '\n')

# ---- The package.
mkdir "$root/DEBIAN"
for script in preinst postinst prerm postrm; do install -m 0755 "deploy/debian/$script" "$root/DEBIAN/$script"; done
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<END
Package: autoscaler
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: $author
Installed-Size: $(du -sk --apparent-size "$root" | cut -f1)
Depends: adduser, python3 (>= $release), python3 (<< $next)$needed
Suggests: rabbitmq-server
Section: admin
Priority: optional
Description: buys and gives back rented machines so that Celery workers keep up
 A daemon that watches RabbitMQ's queues, decides with policies how many Celery
 workers each pool needs, and buys or gives back whole machines through the
 provider's API. A machine that is not needed any more finishes what it holds
 before it goes.
 .
 It brings its own pinned Python packages. It is not started before somebody
 has told it what to buy, in /etc/autoscaler/config.toml.
END
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0 touch --no-dereference --date="@$SOURCE_DATE_EPOCH"
file=$target/autoscaler_${version}_$(dpkg --print-architecture).deb
dpkg-deb --root-owner-group ${COMPRESS:+-Z"$COMPRESS"} --build "$root" "$file" >&2
echo "$file"
