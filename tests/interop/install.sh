#!/bin/bash
# Installs the stock TUF client that tests/interop runs, once: below $BERTH_TEST_CACHE (default /var/cache/berth-tests), named after its lock file.
# Prints the folder. Needs the npm registry the first time only.
set -euo pipefail

here="$(cd "$(dirname "$0")" && pwd)"
cache="${BERTH_TEST_CACHE:-/var/cache/berth-tests}"
folder="$cache/tuf-js-$(sha256sum < "$here/package-lock.json" | cut -c1-12)"

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
