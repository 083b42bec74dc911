#!/bin/bash
# Runs what .ci/run has no time for, as root on Debian:
#   - the tests with the tag nightly, which try more of what others try, too;
#   - the flagship under Python 3.12, where it has the goldens of 3.13, and
#     megatron-core's own param groups in the channel that 3.12 alone serves;
#   - a test in two checkouts, where its action must be the same;
#   - the tests on a pool of this machine;
#   - examples/monorepo, by WORKSPACE and by MODULE.bazel, and examples/hub, with
#     wheels and a Python of its own, by MODULE.bazel;
#   - every test under Bazel 7.7.1.
# The last line says how many of the nine passed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit
. tools/ci/steps.sh

readonly FLAGS=(--color=no --curses=no --noshow_progress)
readonly FLAGSHIP=//regress:gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_test

trap 'tools/bazel7 shutdown' EXIT

step tools/bazelw test "${FLAGS[@]}" --keep_going --test_summary=short \
    --test_tag_filters=nightly //...
step bazelw_312 test "${FLAGS[@]}" --test_summary=short "${FLAGSHIP}"
step bazelw_312 test "${FLAGS[@]}" --test_summary=short --config=lts \
    //regress:stock_grouping_test
# The server of Python 3.12 has the wheels already; this shuts it down.
step with_312 tools/ci/two_checkouts.sh "${BASE_312}"
step tools/bazelw run "${FLAGS[@]}" //tools/remote:check
step tools/ci/monorepo.sh
step tools/ci/monorepo.sh bzlmod
step tools/ci/monorepo.sh bzlmod hub
step tools/bazel7 test "${FLAGS[@]}" --keep_going --test_summary=short //...

echo "${passed} passed, ${failed} failed"
[[ "${failed}" == 0 ]]
