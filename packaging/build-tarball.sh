#!/bin/bash
# Packs a build of berth for machines without dpkg: berth-VERSION-linux-MACHINE.tar.gz, with an install.sh in it.
#
# usage: packaging/build-tarball.sh [--out DIR] [--version VERSION] [--build DIR]
#   --out DIR          where it goes (build/packages)
#   --version VERSION  what it is called (packaging/version.sh says)
#   --build DIR        the build folder (build/release); also by BERTH_BUILD
# The same programs give the same bytes; SOURCE_DATE_EPOCH is the time of the last commit unless it is set.
set -euo pipefail
cd "$(dirname "$0")/.."

out=build/packages version="" build="${BERTH_BUILD:-build/release}"
while [ $# -gt 0 ]; do
  case "$1" in
    --out) out="${2:?--out wants a folder}"; shift 2 ;;
    --version) version="${2:?--version wants a version}"; shift 2 ;;
    --build) build="${2:?--build wants a folder}"; shift 2 ;;
    *) sed -n 's/^# \(usage: .*\)$/\1/p' "$0" >&2; exit 2 ;;
  esac
done
[ -x "$build/daemon/berthd" ] || { echo "build-tarball: $build has no daemon/berthd: build it first (cmake --preset release, ninja -C build/release)" >&2; exit 2; }
[ -n "$version" ] || version="$(packaging/version.sh)"
epoch="${SOURCE_DATE_EPOCH:-$(git -c "safe.directory=$PWD" log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
name="berth-$version-linux-$(uname -m)"
DESTDIR="$work/root" cmake --install "$build" --prefix /usr --strip > /dev/null
mkdir "$work/$name"
mv "$work"/root/usr/{bin,sbin,libexec,share} "$work/$name"
strip "$work/$name/libexec/berth"/*
mkdir -p "$work/$name/systemd" "$work/$name/share/doc/berth"
cp systemd/{berthd.service,berthd.socket,berth.slice,berth-{refresh,accept}@.{service,timer},berth.sysusers,berth.tmpfiles,berth.catalog} "$work/$name/systemd"
cp README.md CHANGELOG.md LICENSE docs/[a-z]*.md "$work/$name/share/doc/berth"  # docs/README.md is the contents of a clone
sed -e '/^#PURGE#$/{r packaging/purge.sh' -e 'd}' packaging/install.sh.in > "$work/$name/install.sh"
SOURCE_DATE_EPOCH="$epoch" packaging/sbom.py --build "$build" --tree "$work/$name" --name berth --version "$version" --output "$work/$name/share/doc/berth/berth.spdx.json"
chmod -R u=rwX,go=rX "$work/$name"
chmod 0755 "$work/$name/install.sh"
(cd "$work/$name" && find . -type f -printf "%P\0" | sort -z | xargs -0 sha256sum) > "$work/sums"
mv "$work/sums" "$work/$name/SHA256SUMS"
mkdir -p "$out"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$epoch" -c "$name" | gzip -n -9 > "$out/$name.tar.gz"
echo "build-tarball: $out/$name.tar.gz, $(stat -c %s "$out/$name.tar.gz") bytes"
