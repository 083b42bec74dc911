#!/bin/bash
# Tests that a monorepo can use this repository.
#   tools/ci/monorepo.sh              examples/monorepo, by WORKSPACE
#   tools/ci/monorepo.sh docs         the monorepo that docs/monorepo.md shows, and
#                                     the commands that the page and a failed test
#                                     print, as a reader pastes them
#   tools/ci/monorepo.sh bzlmod       examples/monorepo, by MODULE.bazel, under
#                                     Bazel 7.7.1
#   tools/ci/monorepo.sh bzlmod hub   the same of examples/hub, which has its own
#                                     Python 3.12 and a hub of wheels
set -euo pipefail

workspace="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly workspace

fail() {
    echo >&2 "tools/ci/monorepo.sh: $1"
    exit 1
}

# Runs the tests of a monorepo of examples/.
test_example() {
    local example="$1" bazel="$2"
    shift 2
    cd "${workspace}/examples/${example}"
    # shellcheck disable=SC2064  # It is known now.
    trap "'${bazel}' shutdown" EXIT
    "${bazel}" test --color=no --curses=no --noshow_progress "$@" \
        --test_summary=short //...
}

by_module() {
    # Debian has most of what Bazel would fetch from its registry. No test needs
    # the rest, so stubs stand in for it.
    local debian=/usr/share/bazel stubs="${workspace}/tools/stubs/bzlmod"
    if [[ "$1" == hub ]]; then
        REGRESS_PYTHON="$("${workspace}/tools/ci/python_of.sh" 3.12)"
        export REGRESS_PYTHON
    fi
    test_example "$1" "${workspace}/tools/bazel7" \
        --enable_bzlmod \
        --lockfile_mode=off \
        "--override_module=apple_support=${stubs}/apple_support" \
        "--override_module=bazel_features=${debian}/tools/features" \
        "--override_module=bazel_skylib=${debian}/tools/skylib" \
        "--override_module=buildozer=${stubs}/buildozer" \
        "--override_module=platforms=${debian}/tools/platforms" \
        "--override_module=protobuf=${stubs}/protobuf" \
        "--override_module=rules_cc=${debian}/rules/cc" \
        "--override_module=rules_java=${debian}/rules/java" \
        "--override_module=rules_license=${debian}/rules/license" \
        "--override_module=rules_proto=${debian}/rules/proto" \
        "--override_module=rules_python=${debian}/rules/python" \
        "--override_module=zlib=${stubs}/zlib"
}

# Prints a step and the seconds since the start, and runs a shell command as a
# reader would.
paste() {
    echo "[${SECONDS} s] $1"
    bash -c "$1"
}

# Prints the one line of the last test's log that holds a word.
printed() {
    local log="bazel-testlogs/models/nano_gpt/nano_gpt_test/test.log"
    grep --fixed-strings -- "$1" "${log}" ||
        fail "expected the test to print a command with \"$1\", found none: see ${log}."
}

as_documented() {
    local page="${workspace}/docs/monorepo.md" commands name command
    scratch="$(mktemp --directory --tmpdir="${HOME}/.cache" regress.XXXXXX)"
    trap 'bazel shutdown; chmod --recursive u+w "${scratch}"; rm --recursive --force "${scratch}"' EXIT
    # Bazel's outputs are to be gone with it.
    export TEST_TMPDIR="${scratch}/output"
    python3 "${workspace}/tools/docs/code_blocks.py" "${page}" "${scratch}/monorepo"
    cd "${scratch}/monorepo"
    sed --in-place "s|\"../..\"|\"${workspace}\"|" WORKSPACE
    # Bazel 4 does not read the file; a later one would prefer it.
    rm MODULE.bazel

    mapfile -t commands < <(grep '^bazel ' "${page}")
    [[ "${#commands[@]}" == 4 ]] ||
        fail "expected 4 commands in ${page}, found ${#commands[@]}."
    for command in "${commands[@]}"; do
        paste "${command}"
    done

    # Its numbers are others now.
    sed --in-place 's/max: 1e-3/max: 2e-3/' models/nano_gpt/nano_gpt.textproto
    if paste "${commands[1]}"; then
        fail "expected the test to fail after a change of its case, but it passes."
    fi
    command="$(printed " accept ")"
    paste "${command/--reason=\"\"/--reason=\"A higher learning rate.\"}"
    paste "${commands[1]}"

    # A golden that cannot be replaced by a candidate is recorded again.
    name="models/nano_gpt/nano_gpt/dev_none.textproto"
    sed --in-place 's/^hardware: "none"/hardware: "nvidia_h200"/' "${name}"
    if paste "${commands[1]}"; then
        fail "expected the test to fail with the golden of another machine, but it passes."
    fi
    paste "$(printed ".record -- ")"
    echo "[${SECONDS} s] done"
}

case "${1:-}" in
"") test_example monorepo "${workspace}/tools/bazelw" ;;
docs) as_documented ;;
bzlmod) by_module "${2:-monorepo}" ;;
*) fail "expected nothing, docs or bzlmod as the argument, found $1." ;;
esac
