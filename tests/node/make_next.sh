#!/bin/bash
# Builds the source once more, as its next version, for tests of an upgrade: programs that were built anew and say that version of themselves. What ccache
# keeps of build/release is found again, so that it is a matter of seconds. Prints the folder.
#
# usage: tests/node/make_next.sh VERSION
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build/release-next  # as deep as build/release, or ccache would find nothing
unity="$(sed -n 's/^BERTH_UNITY:BOOL=//p' build/release/CMakeCache.txt 2>/dev/null || true)"
mkdir -p build
exec 9> build/next.lock
flock 9
cmake --preset release -B "$build" -DBUILD_TESTING=OFF -DBERTH_UNITY="${unity:-ON}" >&2
BERTH_SOURCE_VERSION="${1:?usage: tests/node/make_next.sh VERSION}" nice -n 10 ninja -C "$build" -j "${BERTH_JOBS:-2}" --quiet >&2
echo "$PWD/$build"
