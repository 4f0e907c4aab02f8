#!/bin/sh
# Installs or upgrades hubrec from this folder; on Debian the package does the same. What it has recorded and its configuration stay as they
# are. DESTDIR=DIR installs into another root, and leaves systemd alone. Without arguments; `sh install.sh remove` takes it away again,
# `sh install.sh purge` with all that it has recorded.
set -eu
dir=$(dirname "$(readlink -f "$0")")
root=${DESTDIR-}
lib=$root/usr/lib/hubrec
unit=$root/etc/systemd/system/hubrec.service

fail() {
    echo "install.sh: $1" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
systemd() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

case ${1-install} in
install) ;;
remove | purge)
    ! systemd || systemctl disable --now hubrec.service || true
    rm -rf "$lib" "$root/usr/bin/hubrec" "$unit" "$unit.d"
    if [ "$1" = purge ]; then
        rm -rf "$root/etc/hubrec" "$root/var/lib/hubrec" "$root/var/lib/private/hubrec" "$root/run/hubrec" "$root/run/private/hubrec"
        [ -n "$root" ] || groupdel hubrec 2>/dev/null || true
    fi
    ! systemd || systemctl daemon-reload
    exit 0
    ;;
*) fail "unknown argument $1; expected none, remove or purge" ;;
esac

[ -n "$root" ] || [ "$(id -u)" = 0 ] || fail 'run it as root'
node=/usr/lib/hubrec-node/bin/node
[ -x "$node" ] || node=node
has "$node" || fail 'there is no node; hubrec needs Node 20.15 or newer'
"$node" -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 15) ? 0 : 1)' ||
    fail "$node is $("$node" --version); hubrec needs Node 20.15 or newer"

mkdir -p "$root/usr/lib" "$root/usr/bin" "$root/etc/hubrec" "$(dirname "$unit")"
# Whole or not at all: a daemon that starts in between finds the old one or the new one.
rm -rf "$lib.new" "$lib.old"
cp -R "$dir" "$lib.new"
rm -rf "$lib.new/cache"
[ ! -e "$lib" ] || mv "$lib" "$lib.old"
mv "$lib.new" "$lib"
rm -rf "$lib.old"
ln -sfn ../lib/hubrec/hubrec "$root/usr/bin/hubrec"
"$node" "$lib/compile.js" || echo 'install.sh: the code could not be compiled beforehand; hubrec starts more slowly' >&2

cp "$lib/systemd/hubrec.service" "$unit"
if ! has perl; then
    # It is perl that connects systemd's socket for Node.
    mkdir -p "$unit.d"
    printf '[Service]\nType=exec\nWatchdogSec=0\n' >"$unit.d/without-perl.conf"
    echo 'install.sh: there is no perl: the service runs without the watchdog of systemd' >&2
fi
if [ -z "$root" ]; then
    if has systemd-sysusers; then systemd-sysusers "$lib/systemd/hubrec.sysusers"; else groupadd --system --force hubrec; fi
fi
if systemd; then
    systemctl daemon-reload
    systemctl try-restart hubrec.service
fi
[ -e "$root/etc/hubrec/config.json" ] || echo 'next: hubrec setup'
