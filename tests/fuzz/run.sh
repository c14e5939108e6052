#!/bin/bash
# Builds the fuzzers and runs each for a while; fails when one finds something, and says where the input lies.
#
# usage: tests/fuzz/run.sh [--build | SECONDS [FUZZER…]]
# With --build they are built and not run. SECONDS for each fuzzer, 5 unless told. What they find worth keeping stays in build/fuzz/corpus, so that the next run goes on from there; inputs that
# broke something are in build/fuzz/found.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

seconds="${1:-5}"
shift || true
build=build/fuzz
jobs="${BERTH_JOBS:-2}"
command -v clang++-19 >/dev/null || { echo "fuzz: clang++-19 is missing; packaging/install-deps.sh --tests installs it" >&2; exit 7; }

launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
[ -f "$build/build.ninja" ] || cmake -S tests/fuzz -B "$build" -G Ninja -DCMAKE_CXX_COMPILER=clang++-19 "${launcher[@]}" >/dev/null || exit 1
nice -n 10 ninja -C "$build" -j "$jobs" --quiet fuzzers fuzz_seeds || exit 1
[ "$seconds" != --build ] || exit 0
mkdir -p "$build/corpus" "$build/found" "$build/seeds"
"$build/fuzz_seeds" "$build/seeds" . || { echo "fuzz: the seeds could not be made" >&2; exit 1; }

names=("$@")
[ ${#names[@]} -gt 0 ] || for seed in "$build"/seeds/*/; do names+=("$(basename "$seed")"); done

export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=0 UBSAN_OPTIONS=print_stacktrace=1
# run_one NAME: one fuzzer, and its line of the table; its exit status is the fuzzer's.
run_one() {
  local name="$1" log="$build/$1.log" begin=$SECONDS code executions last coverage inputs result
  mkdir -p "$build/corpus/$name"
  "$build/fuzz_$name" -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix="$build/found/$name-" "$build/corpus/$name" "$build/seeds/$name" >"$log" 2>&1
  code=$?
  executions="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)"
  last="$(grep -E '^#[0-9]+.* cov: ' "$log" | tail -1)"
  coverage="$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' <<<"$last")"
  inputs="$(sed -n 's/.* corp: \([0-9]*\)\/.*/\1/p' <<<"$last")"
  result=fine
  [ "$code" -eq 0 ] || result="FOUND: see $log"
  printf '%-16s %12s %9s %9s %8s  %s\n' "$name" "${executions:-?}" "${coverage:-?}" "${inputs:-?}" $((SECONDS - begin)) "$result"
  return "$code"
}

failed=0 running=0
printf '%-16s %12s %9s %9s %8s  %s\n' fuzzer executions coverage inputs seconds result
for name in "${names[@]}"; do
  if [ "$running" -ge "$jobs" ]; then
    wait -n || failed=$((failed + 1))
    running=$((running - 1))
  fi
  run_one "$name" &
  running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
  wait -n || failed=$((failed + 1))
  running=$((running - 1))
done
[ "$failed" -eq 0 ] || { echo "fuzz: $failed fuzzers found something"; exit 1; }
