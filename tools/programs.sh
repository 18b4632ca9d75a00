#!/bin/sh
# programs.sh: install the programs of programs.txt that are missing, with apt-get where that is possible.
#
# Without apt-get, or without the right to use it, the tests that need a missing program are skipped; in CI
# (CI is set) a missing program is an error.
set -eu
list=$(dirname "$0")/programs.txt
PATH=$PATH:/usr/sbin:/sbin # where nft and iptables are, and ordinary users do not look

missing() {
    while read -r program package; do
        case $program in
            '' | '#'*) ;;
            /*) [ -e "$program" ] || echo "$package" ;;
            *) command -v "$program" >/dev/null || echo "$package" ;;
        esac
    done <"$list" | sort -u
}

packages=$(missing)
[ -n "$packages" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    as_root=none
fi
if command -v apt-get >/dev/null && [ "$as_root" != none ]; then
    # A package that brings a daemon must not start it: it would listen on all addresses.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap '$as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
        $as_root chmod 755 "$policy"
    fi
    # Where this fails apt-get says why, and what is missing is told below. Packages are split into words on purpose.
    $as_root apt-get -qq update &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $packages || :
fi

packages=$(missing)
if [ -n "$packages" ]; then
    echo "These packages are missing, and with them some tests:" $packages >&2
    [ -z "${CI:-}" ] || exit 1
fi
