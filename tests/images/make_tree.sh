#!/bin/bash
# Makes the root file system that the tests' images are made of, once: a Debian newer than the node's, whose programs need their own C library. It is a
# folder below $BERTH_TEST_CACHE (default /var/cache/berth-tests), named after what is in it. Prints the folder. Needs Debian's mirror the first time only.
set -euo pipefail

cache="${BERTH_TEST_CACHE:-/var/cache/berth-tests}"
suite=trixie
packages="perl-base,libc-bin"
tree="$cache/image-$(echo "$suite $packages" | sha256sum | cut -c1-12)"

mkdir -p "$cache"
exec 9> "$cache/image.lock"
flock 9
if [ ! -d "$tree" ]; then
  rm -rf "$tree.new"
  mmdebstrap --quiet --variant=essential --include="$packages" "$suite" "$tree.new" >&2
  rm -rf "$tree.new"/var/cache/apt/* "$tree.new"/var/lib/apt/lists/* "$tree.new"/usr/share/{doc,locale,man,zoneinfo}/* "$tree.new"/usr/include/*
  mv "$tree.new" "$tree"
fi
echo "$tree"
