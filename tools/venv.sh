#!/bin/sh
# venv.sh LOCK: make .venv hold what LOCK pins, by its hashes, and this package in editable form.
#
# Needs Python 3.11 or later with either its venv module whole (Debian: python3-venv) or pip (Debian: python3-pip).
# Nothing is built from what is not in LOCK: the build backend is in there too.
set -eu
lock=$1
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Homeport needs Python 3.11 or later; $python is $("$python" -V 2>&1). PYTHON=python3.12 make ... takes another." >&2
    exit 1
fi

if [ ! -x .venv/bin/python ]; then
    # Without ensurepip the pip of the system serves, from outside.
    "$python" -m venv .venv 2>/dev/null || "$python" -m venv --clear --without-pip .venv
fi
if .venv/bin/python -m pip --version >/dev/null 2>&1; then
    pip() { .venv/bin/python -m pip "$@"; }
elif "$python" -m pip --version >/dev/null 2>&1; then
    pip() { "$python" -m pip --python .venv/bin/python "$@"; }
else
    rm -rf .venv
    echo "Neither $python's venv nor its pip is there. On Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1
pip install --quiet --require-hashes --no-deps -r "$lock"
pip install --quiet --no-deps --no-build-isolation --editable .
