#!/bin/bash
# Unpacks syslog-ng with what it needs into build/syslog-ng/root, once: its package cannot be installed beside rsyslog's.
set -euo pipefail
folder="$(cd "$(dirname "$0")/../.." && pwd)/build/syslog-ng"
[ -x "$folder/root/usr/sbin/syslog-ng" ] && exit 0
new="$folder.$$"
mkdir -p "$new"
trap 'rm -rf "$new"' EXIT
cd "$new"
needed() { apt-get install -s --no-install-recommends syslog-ng-core 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p'; }
fetch() { packages="$(needed)" && [ -n "$packages" ] && apt-get -qq -o Acquire::Retries=3 download $packages; }
fetch || { apt-get -qq -o Acquire::Retries=3 update && fetch; }  # its lists may be old, or not there at all
for package in ./*.deb; do dpkg -x "$package" root; done
rm -rf "$folder"
mkdir -p "$folder"
mv root "$folder/root"
