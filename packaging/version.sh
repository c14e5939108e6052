#!/bin/bash
# Prints the version of this source, as dpkg orders versions: 0.2.0 at the tag v0.2.0; 0.2.0+14.g1a2b3c4 fourteen commits later; 0.2.0~980.g1a2b3c4 before
# there is a tag, where CMakeLists.txt says 0.2.0. Without git, the newest version of CHANGELOG.md.
set -euo pipefail
cd "$(dirname "$0")/.."

next="$(sed -n 's/^project(berth VERSION \([0-9.]*\) .*$/\1/p' CMakeLists.txt)"
# The owner of the files may be another user than the one who builds.
git=(git -c "safe.directory=$PWD")
if [ "$("${git[@]}" rev-parse --show-toplevel 2>/dev/null)" = "$PWD" ]; then
  if described="$("${git[@]}" describe --tags --long --match 'v[0-9]*' 2>/dev/null)"; then
    tag="${described%-*-*}"
    past="${described#"$tag"-}"
    version="${tag#v}"
    [ "${past%%-*}" -eq 0 ] || version="$version+${past/-/.}"
  else
    version="$next~$("${git[@]}" rev-list --count HEAD).g$("${git[@]}" rev-parse --short=7 HEAD)"
  fi
else
  version="$(sed -n 's/^## \[\([0-9][^]]*\)\].*$/\1/p' CHANGELOG.md | head -n 1)"
  version="${version:-$next~unreleased}"
fi
echo "${version//-/\~}"
