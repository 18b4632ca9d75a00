#!/bin/sh
# wheel.sh: a wheel with the hot modules compiled (setup.py), into dist/, and the same unpacked, into build/compiled.
#
# For the interpreter of .venv, whose mypyc does it. What was built before is not taken over.
set -eu
rm -rf build/wheel build/compiled build/dist
mkdir -p build dist
HOMEPORT_COMPILE=1 .venv/bin/python -W ignore setup.py --quiet build --build-base build/wheel \
    bdist_wheel --bdist-dir build/wheel/bdist --dist-dir build/dist >build/wheel.log 2>&1 || {
    cat build/wheel.log >&2
    exit 1
}
for wheel in build/dist/*.whl; do
    .venv/bin/python -m zipfile -e "$wheel" build/compiled
    mv "$wheel" dist/
    echo "dist/${wheel##*/}"
done
PYTHONPATH=build/compiled .venv/bin/python -c 'import homeport.server.lobby as one; assert not one.__file__.endswith(".py"), one.__file__'
