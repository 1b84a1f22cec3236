#!/bin/sh
# Prints the path of the first Python that can make our virtual environment: 3.11 or newer, with venv and pip.
# $PYTHON, when set, is asked first. Prints nothing but the path; exits 1 and says what to install when there is none.
set -eu

for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
    # Being on PATH is not enough: shims exist for versions that are not installed, so each one is really run.
    path=$("$name" -c '
import sys, ensurepip, venv
print(sys.executable if sys.version_info >= (3, 11) else "")' 2>/dev/null) || continue
    if [ -n "$path" ]; then
        printf '%s\n' "$path"
        exit 0
    fi
done

echo "No Python 3.11 or newer with venv was found. Install one (Debian: apt-get install python3 python3-venv)" \
    "or name one: make PYTHON=/path/to/python …" >&2
exit 1
