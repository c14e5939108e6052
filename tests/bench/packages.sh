#!/bin/sh
# Gets the packages that tests/bench/updates.py makes releases of, each once: usage: packages.sh FOLDER
set -eu
mkdir -p "$1"
cd "$1"
for package in typescript@5.4.5 typescript@5.5.4 @esbuild/linux-x64@0.19.11 @esbuild/linux-x64@0.19.12 date-fns@3.5.0 date-fns@3.6.0; do
  file="$(echo "${package#@}" | tr '/@' '--').tgz"
  [ -f "$file" ] || npm pack --silent "$package" > /dev/null
  [ -f "$file" ] || { echo "packages.sh: npm did not give $file" >&2; exit 1; }
done
