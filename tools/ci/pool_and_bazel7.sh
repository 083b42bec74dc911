#!/bin/bash
# Runs what .ci/run has no time for, as root on Debian:
#   - the tests on a pool of this machine;
#   - examples/monorepo, by WORKSPACE and by MODULE.bazel, and examples/hub, with
#     wheels and a Python of its own, by MODULE.bazel;
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
step tools/ci/monorepo.sh
step tools/ci/monorepo.sh bzlmod
step tools/ci/monorepo.sh bzlmod hub
step tools/bazel7 test "${FLAGS[@]}" --keep_going --test_summary=short //...

echo "${passed} passed, ${failed} failed"
[[ "${failed}" == 0 ]]
