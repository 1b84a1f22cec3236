#!/bin/sh
# image.sh [NAME] builds the container image with podman, docker or buildah, whichever is here ($BUILDER chooses), or with
# CONTEXT_ONLY=1 lays what it is built from into build/image and stops. BASE=IMAGE is another base than the file's own.
set -eu
cd "$(dirname "$0")/.."

name=${1:-autoscaler}
context=build/image
rm -rf "$context"
mkdir -p "$context"
cp deploy/Containerfile requirements/package.txt "$context"
source=$(mktemp -d) # a build in the tree would take up what former builds left there
trap 'rm -rf "$source"' EXIT
trap 'exit 130' INT TERM
cp -R autoscaler providers policies bootstrap pyproject.toml README.md LICENSE "$source"
.venv/bin/python -m pip --disable-pip-version-check --quiet wheel --no-deps --no-build-isolation \
    --wheel-dir "$context" "$source"
[ -z "${CONTEXT_ONLY:-}" ] || exit 0

builder=${BUILDER:-}
for each in podman docker buildah; do
    [ -n "$builder" ] || ! command -v "$each" >/dev/null || builder=$each
done
if [ -z "$builder" ]; then
    echo "image.sh: there is no podman, docker or buildah here; $context has what any of them needs" >&2
    exit 1
fi
# Images in OCI's own form have no HEALTHCHECK, and these two leave it out without the option.
case "$builder" in *podman | *buildah) set -- --format docker ;; *) set -- ;; esac
if [ -n "${BASE:-}" ]; then set -- "$@" --build-arg "BASE=$BASE"; fi
"$builder" build "$@" --file "$context/Containerfile" --tag "$name" "$context"
