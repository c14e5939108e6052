#!/bin/bash
# Makes the Debian that the node test boots, once: a folder below $BERTH_TEST_CACHE (default /var/cache/berth-tests), named after what is in it.
# Prints the folder. Needs Debian's mirror the first time only.
set -euo pipefail

cache="${BERTH_TEST_CACHE:-/var/cache/berth-tests}"
packages="systemd,systemd-sysv,dbus,iproute2,procps,curl,nftables,nginx-light,redis-server,redis-tools"
libraries="libarchive13,libnftables1,libsqlite3-0,libmbedtls14,libspdlog1.10,libfmt9,libprometheus-cpp-core1.0,libseccomp2,libhogweed6,libboost-json1.81.0"
tree="$cache/node-$(echo "bookworm $packages $libraries" | sha256sum | cut -c1-12)"

mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9
if [ ! -d "$tree" ]; then
  rm -rf "$tree.new"
  mmdebstrap --quiet --variant=minbase --include="$packages,$libraries" bookworm "$tree.new" >&2
  # What the test starts, it starts itself.
  for unit in nginx.service redis-server.service apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer dpkg-db-backup.timer; do
    chroot "$tree.new" systemctl disable "$unit" >&2 2>/dev/null || true
  done
  chroot "$tree.new" systemctl mask systemd-networkd-wait-online.service getty@.service >&2 2>/dev/null || true
  rm -rf "$tree.new"/var/cache/apt/* "$tree.new"/var/lib/apt/lists/* "$tree.new"/usr/share/doc/* "$tree.new"/usr/share/locale/* "$tree.new"/usr/include/*
  find "$tree.new"/usr/lib -name '*.a' -delete
  mv "$tree.new" "$tree"
fi
echo "$tree"
