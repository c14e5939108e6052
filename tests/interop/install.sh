#!/bin/bash
# Installs what tests/interop runs of npm's, once: below $BERTH_TEST_CACHE (default /var/cache/berth-tests), named after its lock file. Prints the folder.
# Needs the npm registry the first time only.
#
# usage: install.sh [tuf | api | page]: the stock TUF client, what makes and judges a client of the control API, or what drives and judges the status page
set -euo pipefail

what="${1:-tuf}"
here="$(cd "$(dirname "$0")/$what" && pwd)"
cache="${BERTH_TEST_CACHE:-/var/cache/berth-tests}"
folder="$cache/npm-$what-$(sha256sum < "$here/package-lock.json" | cut -c1-12)"

mkdir -p "$cache"
exec 9> "$cache/lock"
flock 9
if [ ! -d "$folder" ]; then
  rm -rf "$folder.new"
  mkdir "$folder.new"
  cp "$here/package.json" "$here/package-lock.json" "$folder.new"
  (cd "$folder.new" && npm ci --ignore-scripts --no-audit --no-fund >&2)
  mv "$folder.new" "$folder"
fi
echo "$folder"
