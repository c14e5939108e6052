#!/bin/bash
# Builds berth and runs its tests; ends with how many passed and failed.
#
# usage: tests/run.sh [--all]
# Without arguments: the release build with every test at its short setting, and the AddressSanitizer build with the unit tests and a part of the
# end-to-end tests, and the fuzzers for some seconds. --all adds the other sanitizers, every crash point, failing calls by the hundreds, twenty power cuts in each state, the soak, a build
# for arm64, and a minute of each fuzzer.
# What failed is run once more, alone: these tests run real daemons, some at once, on a machine that may be slow. What passes then counts, and is named
# at the end as unsteady, with what it said. Where more than three failed, something is wrong, and nothing is run again.
# Needs root or sudo (namespaces, nftables, users of apps), Debian 12, and its mirror for what is not installed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

all=no
case "${1:-}" in
  "") ;;
  --all) all=yes ;;
  *) echo "usage: tests/run.sh [--all]" >&2; exit 2 ;;
esac

as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo "--preserve-env=CCACHE_DIR,BERTH_TEST_CACHE,BERTH_JOBS")
jobs="${BERTH_JOBS:-2}"
test_jobs=$((jobs + 3))  # tests wait more than they work
passed=0 failed=0 broken=() unsteady=() skipped=()
most_unsteady=3
keeper_reports="/run/berth-keeper-report.*"  # of unit tests; those end to end have a /run of their own and look there
behind_log="$(mktemp)"
failures="$(mktemp)"  # what the failed tests said, to be said again at the end: a log of CI is read from there

# An ordinary user builds as himself, and with what his ccache keeps; tests are root's. Who is asked for a password is asked once.
behind="" asking=""
if [ ${#as_root[@]} -gt 0 ]; then
  command -v sudo >/dev/null || { echo "tests/run.sh: run this as root, or install sudo" >&2; exit 7; }
  sudo true || exit 7
  while sleep 60 && sudo -n true; do :; done >/dev/null 2>&1 </dev/null &
  asking=$!
fi

# give_back FOLDER OWNER: what root made in a folder of somebody else is his. Not the Debian that arm64 is built in.
give_back() {
  [ ! -d "$1" ] || [ "${2%:*}" -eq 0 ] || "${as_root[@]}" find "$1" -path build/arm64/root -prune -o -user root -exec chown --no-dereference "$2" {} +
}

leave() {
  [ -z "$behind" ] || pkill -TERM -P "$behind"
  [ -z "$asking" ] || { pkill -TERM -P "$asking"; kill "$asking"; } 2>/dev/null
  give_back build "$(stat -c %u:%g .)"
  [ -z "${CCACHE_DIR:-}" ] || give_back "$CCACHE_DIR" "$(stat -c %u:%g "$CCACHE_DIR")"
}
trap leave EXIT

step() { printf '\n=== %s (after %d s)\n' "$*" "$SECONDS"; }

# configure PRESET: from nothing, several sources are compiled at once; a build folder that is there is kept as it is. One preset compiles each
# source by itself, as a developer does: else one that leans on an include of its neighbour would not be seen.
configure() {
  local unity=()
  [ -e "build/$1/CMakeCache.txt" ] || [ "$1" = ubsan ] || unity=(-DBERTH_UNITY=ON)
  cmake --preset "$1" -DBUILD_TESTING=ON "${unity[@]}"
}

# build_behind: builds for AddressSanitizer and the fuzzers with what the release tests leave of the processors, which is a third; at idle priority it takes nothing from them.
build_behind() {
  configure asan >"$behind_log" 2>&1 || return 0  # it fails again in front, and is seen there, as what is not built here
  jobs="$jobs" chrt --idle 0 bash -c 'ninja -C build/asan -j "$jobs" --quiet && BERTH_JOBS="$jobs" tests/fuzz/run.sh --build' </dev/null >"$behind_log" 2>&1 &
  behind=$!
}

# build PRESET: configures and builds everything, or what is left of it.
build() {
  step "build: $1"
  if [ -n "$behind" ]; then wait "$behind"; behind=""; fi
  configure "$1" >"$behind_log" || { cat "$behind_log"; broken+=("configure $1"); return 1; }
  nice -n 10 ninja -C "build/$1" -j "$jobs" --quiet || { broken+=("build $1"); return 1; }
}

# remember NAME LOG: of each failed test of a log of ctest, its name and its last lines.
remember() {
  awk -v name="$1" '
    function tell(  i) {
      if (!bad) return
      printf "\n--- %s: %s\n", name, title
      for (i = (n > 60 ? n - 60 : 0); i < n; i++) print line[i]
    }
    / Test +#[0-9]+: / { tell(); title = $0; sub(/^.*Test +#[0-9]+: /, "", title); bad = /\*\*\*/ && !/\*\*\*Skipped/; n = 0; next }
    / tests passed, .* tests failed out of / { tell(); bad = 0 }
    /^ +Start +[0-9]+: / { next }
    { line[n++] = substr($0, 1, 400) }' "$2"
}

# once_more NAME PRESET LOG: runs the failed tests of a log of ctest again, one by one; takes those that pass from $bad.
once_more() {
  local one code
  while read -r one; do
    step "once more, alone: $one"
    "${as_root[@]}" ctest --test-dir "build/$2" --output-on-failure --no-tests=error -R "^${one//./[.]}\$" </dev/null | tee "$3.again"
    code=${PIPESTATUS[0]}
    if [ "$code" -eq 0 ]; then
      unsteady+=("$1: $one")
      bad=$((bad - 1))
    else
      remember "$1, once more" "$3.again" >>"$failures"
    fi
  done < <(sed -n '/[*][*][*]Skipped/d; s/^ *[0-9]*\/[0-9]* Test *#[0-9]*: \([^ ]*\) .*[*][*][*].*$/\1/p' "$3")
  rm -f "$3.again"
}

# check NAME PRESET CTEST-ARGUMENT…: runs tests and adds up what ctest says.
check() {
  local name="$1" preset="$2" log
  shift 2
  step "tests: $name"
  log="$(mktemp)"
  "${as_root[@]}" ctest --test-dir "build/$preset" -j "$test_jobs" --output-on-failure --no-tests=error "$@" | tee "$log"
  local code=${PIPESTATUS[0]} bad total found
  bad="$(sed -n 's/^.*tests passed, \([0-9]*\) tests failed out of.*$/\1/p' "$log" | tail -1)"
  total="$(sed -n 's/^.*tests failed out of \([0-9]*\).*$/\1/p' "$log" | tail -1)"
  found="${bad:-0}"
  if [ "${bad:-0}" -gt 0 ]; then
    remember "$name" "$log" >>"$failures"
    if [ $((${#unsteady[@]} + bad)) -le "$most_unsteady" ]; then once_more "$name" "$preset" "$log"; fi
  fi
  while read -r skip; do skipped+=("$name: $skip"); done < <(sed -n 's/^.* Test *#[0-9]*: \([^ ]*\) .*[*][*][*]Skipped.*$/\1/p' "$log")
  rm -f "$log"
  passed=$((passed + ${total:-0} - ${bad:-0}))
  failed=$((failed + ${bad:-0}))
  if [ "$code" -ne 0 ] && [ "$found" -eq 0 ]; then broken+=("$name: ctest ended with $code"); fi
  if compgen -G "$keeper_reports" >/dev/null; then
    "${as_root[@]}" tail -n 40 $keeper_reports >>"$failures"
    "${as_root[@]}" rm -f $keeper_reports
    broken+=("$name: a sanitizer found something in a keeper")
  fi
}

step "dependencies"
if [ "$all" = yes ]; then bash packaging/install-deps.sh --all-tests; else bash packaging/install-deps.sh --tests; fi || { echo "0 passed, 1 failed"; exit 1; }
if [ ${#as_root[@]} -gt 0 ]; then export CCACHE_DIR="${CCACHE_DIR:-$(ccache --get-config cache_dir)}"; fi

if build release; then
  build_behind
  if [ "$all" = yes ]; then check "release, long" release; else check "release" release -LE long; fi
fi
# Unit tests, and those end-to-end tests that go through all of berth.
if build asan; then
  if [ "$all" = yes ]; then check "asan" asan -LE "long|bench|node"; else check "asan" asan -LE "long|bench|node|fault|e2e|interop"; check "asan, end to end" asan -R '^e2e[.](main_job|bad_release)$'; fi
fi
if [ "$all" = yes ]; then
  for preset in ubsan tsan; do
    if build "$preset"; then check "$preset" "$preset" -LE "long|bench|node|fault"; fi
  done
fi
fuzz_seconds=3
[ "$all" = no ] || fuzz_seconds=60
step "fuzzers, $fuzz_seconds s each"
if tests/fuzz/run.sh "$fuzz_seconds"; then passed=$((passed + 1)); else broken+=("fuzzers"); fi

step "done"
cat "$failures"
rm -f "$failures" "$behind_log"
for one in "${unsteady[@]:+${unsteady[@]}}"; do
  echo "unsteady: $one (failed beside others, passed alone)"
done
for one in "${skipped[@]:+${skipped[@]}}"; do
  echo "skipped: $one"
done
for one in "${broken[@]:+${broken[@]}}"; do
  echo "broken: $one"
  failed=$((failed + 1))
done
echo "$((passed - ${#skipped[@]})) passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
