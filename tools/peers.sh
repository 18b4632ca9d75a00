#!/bin/sh
# Fetches vsftpd, ProFTPD and Pure-FTPd for the benchmarks and unpacks them into bench/work/peers.
#
# Nothing is installed: the three packages conflict with each other, and a package that is only unpacked cannot start
# a daemon, add a user or write below /etc. The libraries they lack on this system are unpacked beside them, and
# bench/peers.py points LD_LIBRARY_PATH there. Needs Debian or Ubuntu and a fresh package index (apt-get update), no root.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
into=${1:-"$here/bench/work/peers"}
stamp="$into/unpacked-2"  # another number for another list of packages
[ -e "$stamp" ] && exit 0
for tool in apt-get dpkg; do
    command -v "$tool" >/dev/null || { echo "peers.sh: no $tool here; the peers come as Debian packages" >&2; exit 1; }
done

# What apt would install for each peer on this very system, peer by peer because they exclude each other.
wanted() {
    for peer in "$@"; do
        apt-get install --simulate --no-install-recommends "$peer" 2>/dev/null | awk '$1 == "Inst" { print $2 }'
    done
    printf '%s\n' "$@"  # also where one is installed already
}
names=$(wanted vsftpd proftpd-core pure-ftpd pure-ftpd-common libpam-pwdfile proftpd-mod-crypto | sort -u)

rm -rf "$into"
mkdir -p "$into/packages" "$into/root"
cd "$into/packages"
# shellcheck disable=SC2086 # one word a package
apt-get download $names >download.log 2>&1 || { cat download.log >&2; exit 1; }
for package in *.deb; do
    dpkg -x "$package" "$into/root"
done
for package in *.deb; do
    dpkg-deb -W --showformat='${Package} ${Version}\n' "$package"
done >"$into/versions"
date >"$stamp"
