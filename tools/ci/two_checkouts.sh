#!/bin/bash
# Tests that an action is the same wherever the checkout is. Runs a test here,
# and then in a copy of the working tree in another folder, each with a Bazel
# server and wheels of its own. The second run must take the first one's result
# from the shared cache.
#   tools/ci/two_checkouts.sh
#   tools/ci/two_checkouts.sh BASE   the first run has Bazel's outputs in this
#                                    folder, which may have the wheels already;
#                                    it shuts the server there down
set -euo pipefail

readonly TEST=//tools/remote/testdata:tiny_test

workspace="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly workspace
scratch="$(mktemp --directory)"
readonly scratch
readonly other="${scratch}/another/folder"
# Makes an action that is not in any cache yet.
flags=(
    --color=no --curses=no --noshow_progress
    "--disk_cache=${scratch}/cache" "--test_env=REGRESS_RUN=${scratch}"
)

readonly here="${1:-${scratch}/here}"
readonly there="${scratch}/there"

# Runs Bazel in this folder, with outputs in that one.
bazelw_to() {
    local output="$1"
    shift
    tools/bazelw "--output_base=${output}" "$@"
}

finish() {
    cd "${workspace}"
    bazelw_to "${here}" shutdown
    [[ ! -d "${other}" ]] || (cd "${other}" && bazelw_to "${there}" shutdown)
    chmod --recursive u+w "${scratch}"
    rm --recursive --force "${scratch}"
}
trap finish EXIT

cd "${workspace}"
bazelw_to "${here}" test "${flags[@]}" "${TEST}"

mkdir --parents "${other}"
git ls-files -z --cached --others --exclude-standard |
    tar --create --null --files-from=- --ignore-failed-read |
    tar --extract --directory="${other}"
cd "${other}"
bazelw_to "${there}" test "${flags[@]}" "${TEST}" |
    tee "${scratch}/log"
grep --quiet '(cached) PASSED' "${scratch}/log" || {
    echo >&2 "tools/ci/two_checkouts.sh: expected ${TEST} to be cached in ${other}, but it ran again: compare the actions by --execution_log_json_file."
    exit 1
}
