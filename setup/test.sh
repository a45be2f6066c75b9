#!/bin/bash
# What `make test` does: everything is built and tested, plain and under sanitizers. Stops at the
# first part that fails. The last lines say what was run and how long it took.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-/usr/bin/python3}
summary=()
unset MAKEFLAGS MFLAGS MAKELEVEL  # what runs make in its turn is not part of the make that runs us

# part TITLE COMMAND...: runs the command and notes how long it took.
part() {
  local title=$1 start=$SECONDS
  shift
  printf '\n== %s\n' "$title"
  if ! "$@"; then
    printf '\nmake test: this part failed: %s\n  to run it alone: %s\n' "$title" "$*"
    exit 1
  fi
  summary+=("$(printf '%4d s  %s' $((SECONDS - start)) "$title")")
}

# The checks mostly wait, so three groups of stages are judged at the same time.
check_all() {
  local groups=("00 01 02" "03 04 05" "06 07 08") running=() failed=0
  mkdir -p build/test
  for i in 0 1 2; do
    check harness/checks --bin-dir "$1" --stage "${groups[i]}" "${@:2}" >"build/test/$i.log" 2>&1 &
    running+=($!)
  done
  for i in 0 1 2; do
    wait "${running[i]}" || failed=1
    printf -- '-- stages %s\n' "${groups[i]}"
    cat "build/test/$i.log"
  done
  return $failed
}

build() { make -s --no-print-directory "$@"; }
check() { "$python" -m pytest -q "$@"; }

part "build all servers" build
part "the harness's own tests" check harness/tests
part "all servers, from outside" check_all build/bin
part "the grader, a sample of its own test" "$python" -m harness.lab selftest --sample
part "fuzz the HTTP session" build fuzz
part "unit tests under ASan and UBSan" build unit SANITIZE=address,undefined
part "build all servers with ASan and UBSan" build SANITIZE=address,undefined
part "all servers under ASan and UBSan" check_all build/address,undefined/bin
part "build 02 and 03 with TSan" build SANITIZE=thread 02-thread 03-pool
part "02 and 03 under TSan" \
  check harness/checks --bin-dir build/thread/bin --stage "02 03"

printf '\n== make test: all of it passed, in %d s\n' "$SECONDS"
printf '%s\n' "${summary[@]}"
printf 'parts: %d passed, 0 failed\n' "${#summary[@]}"
