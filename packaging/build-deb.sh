#!/bin/bash
# Builds the Debian packages of this source: berth, berthd, and what debuggers need of them (-dbgsym).
#
# usage: packaging/build-deb.sh [--out DIR] [--version VERSION] [--build DIR]
#   --out DIR          where they go (build/packages)
#   --version VERSION  what they are called (packaging/version.sh says)
#   --build DIR        pack the programs of this build folder, such as build/release, instead of compiling them; also by BERTH_BUILD
# DEB_BUILD_OPTIONS is honoured: nocheck, parallel=N, … The same source gives the same bytes in any folder; SOURCE_DATE_EPOCH is the time of the last commit
# unless it is set. What they are built with: packaging/install-deps.sh --package.
set -euo pipefail
cd "$(dirname "$0")/.."
source="$PWD"

out=build/packages version="" build="${BERTH_BUILD:-}"
while [ $# -gt 0 ]; do
  case "$1" in
    --out) out="${2:?--out wants a folder}"; shift 2 ;;
    --version) version="${2:?--version wants a version}"; shift 2 ;;
    --build) build="${2:?--build wants a folder}"; shift 2 ;;
    *) sed -n 's/^# \(usage: .*\)$/\1/p' "$0" >&2; exit 2 ;;
  esac
done
command -v dh >/dev/null || { echo "build-deb: debhelper is missing: packaging/install-deps.sh --package" >&2; exit 1; }
if [ -n "$build" ]; then
  [ -x "$build/daemon/berthd" ] || { echo "build-deb: $build has no daemon/berthd: build it first, or leave --build out" >&2; exit 2; }
  build="$(realpath "$build")"
fi
revision=0berth1  # not Debian's own packaging, which would begin with 1
[ -n "$version" ] || version="$(packaging/version.sh)"
dpkg --validate-version "$version-$revision" || { echo "build-deb: $version is no version for dpkg" >&2; exit 2; }

git=(git -c "safe.directory=$source")
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then SOURCE_DATE_EPOCH="$("${git[@]}" log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)"; fi
export SOURCE_DATE_EPOCH

# Always the same folder of a clone: what ccache keeps of a package is found again by its path. Packing what is built already may go on at once.
if [ -n "$build" ]; then
  work="$(mktemp -d "${TMPDIR:-/tmp}/berth-deb.XXXXXX")"
else
  mkdir -p build
  exec 9> build/deb.lock
  flock 9
  work="$source/build/deb"
  rm -rf "$work"
fi
trap 'rm -rf "$work"' EXIT
tree="$work/source"
mkdir -p "$tree"
# What git knows of, as it is in this folder; without git, all but what was built.
if [ "$("${git[@]}" rev-parse --show-toplevel 2>/dev/null)" = "$source" ]; then
  "${git[@]}" ls-files -z --cached --others --exclude-standard | { while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done; } |
    tar -c --null -T - | tar -x -C "$tree"
else
  tar -c --exclude=./build --exclude=__pycache__ . | tar -x -C "$tree"
fi
cp -r "$tree/packaging/debian" "$tree/debian"
cat > "$tree/debian/changelog" <<END
berth ($version-$revision) unstable; urgency=medium

  * What is new is in changelog.gz beside this file.

 -- berth's authors <berth@example.org>  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
END
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

mkdir -p "$out"
out="$(realpath "$out")"
(cd "$tree" && BERTH_BUILD="$build" BERTH_SOURCE_VERSION="$version" dpkg-buildpackage -us -uc -b)
mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$out"
echo "build-deb: $version-$revision is in $out"
