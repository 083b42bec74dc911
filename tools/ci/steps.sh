# Counts steps, and runs Bazel under Python 3.12, for scripts that have cd'ed to
# the root of the workspace: . tools/ci/steps.sh
# shellcheck shell=bash

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

readonly BASE_312="${XDG_CACHE_HOME:-${HOME}/.cache}/regress/python3.12"

# Runs a command under Python 3.12.
with_312() {
    local python
    python="$(tools/ci/python_of.sh 3.12)" || return
    REGRESS_PYTHON="${python}" "$@"
}

# Runs tools/bazelw under Python 3.12, with outputs of its own.
bazelw_312() {
    with_312 tools/bazelw "--output_base=${BASE_312}" "$@"
}
