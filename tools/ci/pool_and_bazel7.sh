#!/bin/bash
# Runs what .ci/run has no time for, as root on Debian:
#   - the tests on a pool of this machine;
#   - the monorepo that docs/monorepo.md shows, and its commands;
#   - monorepos that use this repository by MODULE.bazel, one with wheels and a
#     Python of its own;
#   - every test under Bazel 7.7.1.
# The last line says how many of the five passed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

readonly FLAGS=(--color=no --curses=no --noshow_progress)

trap 'tools/bazel7 shutdown' EXIT

passed=0
failed=0

# Runs a command, and counts it as passed or failed.
step() {
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

step tools/bazelw run "${FLAGS[@]}" //tools/remote:check
step tools/ci/monorepo.sh docs
step tools/ci/monorepo.sh bzlmod
step tools/ci/monorepo.sh bzlmod hub
step tools/bazel7 test "${FLAGS[@]}" --keep_going --test_summary=short //...

echo "${passed} passed, ${failed} failed"
[[ "${failed}" == 0 ]]
