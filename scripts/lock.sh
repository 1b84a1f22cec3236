#!/bin/sh
# lock.sh [--upgrade] renews the pins in requirements/: versions and hashes for every Python we support, and no
# download address, so that whoever installs chooses where from. Needs .venv; keeps its tool in build/uv.
set -eu

[ -x build/uv/bin/uv ] || { .venv/bin/python -m venv build/uv && build/uv/bin/python -m pip -q install uv; }

lock() {
    build/uv/bin/uv --no-config pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-header "$@"
}

lock "$@" pyproject.toml --output-file requirements/runtime.txt
# What the daemon runs with is what it is tested with.
lock "$@" pyproject.toml --extra dev --extra postgresql --constraints requirements/runtime.txt --output-file requirements/dev.txt
# The Debian package cannot be added to, so it has the drivers of a journal on PostgreSQL and of GCE.
lock "$@" pyproject.toml --extra postgresql --extra gce --constraints requirements/dev.txt --output-file requirements/package.txt
lock "$@" requirements/worker-celery53.in --output-file requirements/worker-celery53.txt
# The machines of `make e2e` run the Celery that the tests run, on Debian 12's Python.
lock "$@" requirements/machine.in --constraints requirements/dev.txt --output-file requirements/machine.txt
# Where both use a library, examples/stack has the release that the tests have.
lock "$@" requirements/stack.in --constraints requirements/dev.txt --output-file requirements/stack.txt
# What `make docs` stands on; where both use a library, it has the release that the tests have.
lock "$@" requirements/docs.in --constraints requirements/dev.txt --output-file requirements/docs.txt
