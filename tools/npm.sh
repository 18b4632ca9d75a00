#!/bin/sh
# npm.sh: install the FTP clients for Node.js that tools/npm pins, by their hashes, into .tools/npm.
#
# Without npm, or without a registry, the tests that need them are skipped; in CI (CI is set) that is an error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
into=$here/../.tools/npm
if cmp -s "$here/npm/package-lock.json" "$into/package-lock.json" && [ -e "$into/node_modules/.package-lock.json" ]; then
    exit 0
fi
mkdir -p "$into"
cp "$here/npm/package.json" "$here/npm/package-lock.json" "$into"
if ! command -v npm >/dev/null || ! npm ci --silent --no-audit --no-fund --ignore-scripts --prefix "$into"; then
    rm -rf "$into"
    echo "npm clients are missing, and with them some tests: npm ci in tools/npm did not work" >&2
    [ -z "${CI:-}" ] || exit 1
fi
