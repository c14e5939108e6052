#!/bin/bash
# Makes the root file system that the tests' images are made of, once: a Debian newer than the node's, whose programs need their own C library. It is a
# folder below $BERTH_TEST_CACHE (default /var/cache/berth-tests), named after what is in it. Prints the folder. Needs Debian's mirror the first time only.
set -euo pipefail

cache="${BERTH_TEST_CACHE:-/var/cache/berth-tests}"
suite=trixie
packages="perl-base,libc-bin"
# What no test looks at goes: each of them packs and unpacks all of it some times.
needless="var/cache/* var/lib/apt/lists/* var/lib/dpkg/* usr/share/{doc,locale,man,zoneinfo,info,perl5,common-licenses}/* usr/include/* usr/sbin/* \
usr/lib/*-linux-gnu/{gconv,security,perl-base/unicore} \
usr/lib/*-linux-gnu/lib{crypto,ssl,db-,sqlite3,systemd,mvec,zstd,pcre2,gmp,mount,blkid,apt,stdc++,ncurses,tinfo,udev}*"
tree="$cache/image-$(echo "$suite $packages $needless" | sha256sum | cut -c1-12)"

mkdir -p "$cache"
exec 9> "$cache/image.lock"
flock 9
if [ ! -d "$tree" ]; then
  rm -rf "$tree.new"
  mmdebstrap --quiet --variant=essential --include="$packages" "$suite" "$tree.new" >&2
  (cd "$tree.new" && eval "rm -rf $needless")
  mv "$tree.new" "$tree"
fi
echo "$tree"
