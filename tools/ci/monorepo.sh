#!/bin/bash
# Tests that a monorepo can use this repository.
#   tools/ci/monorepo.sh              examples/monorepo, by WORKSPACE
#   tools/ci/monorepo.sh docs         the monorepo that docs/monorepo.md shows, and
#                                     the commands that the page and a failed test
#                                     print, as a reader pastes them; .ci/run runs it
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

# Runs the test as a reader would, and expects that it fails.
paste_failing() {
    if paste "$1"; then
        fail "expected the test to fail, as $2, but it passes."
    fi
}

# Prints what the last test's log has from a pattern to the end of its line, which
# is to be there once.
printed() {
    local log="bazel-testlogs/models/nano_gpt/nano_gpt_test/test.log"
    grep --only-matching --extended-regexp -- "$1.*" "${log}" ||
        fail "expected the test to print a command with \"$1\", found none: see ${log}."
}

# Any name will do for this repository, as the page says; another one than the
# page's shows whether commands are printed with the one that it has.
renamed() {
    sed 's|@regress//|@resume//|g; s|name = "regress"|name = "resume"|' "$@"
}

as_documented() {
    local page="${workspace}/docs/monorepo.md" commands command
    local golden="models/nano_gpt/nano_gpt/dev_none.textproto"
    scratch="$(mktemp --directory --tmpdir="${HOME}/.cache" regress.XXXXXX)"
    trap '(cd "${scratch}/monorepo" && bazel shutdown); chmod --recursive u+w "${scratch}"; rm --recursive --force "${scratch}"' EXIT
    if ! type -P bazel >/dev/null; then
        # A reader who has bazelisk alone has given it this name.
        mkdir "${scratch}/bin"
        ln --symbolic "$(type -P bazelisk)" "${scratch}/bin/bazel"
        PATH="${scratch}/bin:${PATH}"
    fi
    python3 "${workspace}/tools/docs/code_blocks.py" "${page}" "${scratch}/monorepo"
    cd "${scratch}/monorepo"
    # Bazel 4 does not read the file; a later one would prefer it.
    rm MODULE.bazel
    renamed --in-place .bazelrc WORKSPACE models/nano_gpt/BUILD.bazel
    sed --in-place "s|\"../..\"|\"${workspace}\"|" WORKSPACE
    # Bazel's outputs are to be gone with it. TEST_TMPDIR would do that, too, but
    # then Bazel ends after 15 idle seconds, and each program trains for longer.
    echo "startup --output_user_root=${scratch}/output" >>.bazelrc

    mapfile -t commands < <(renamed "${page}" | grep '^bazel ')
    [[ "${#commands[@]}" == 4 ]] ||
        fail "expected 4 commands in ${page}, found ${#commands[@]}."
    local record="${commands[0]}" test="${commands[1]}" show="${commands[2]}" repeat="${commands[3]}"

    # A golden that is none yet: the test prints the page's first command.
    mkdir --parents "$(dirname "${golden}")"
    touch "${golden}"
    paste_failing "${test}" "its golden is empty"
    command="$(printed "bazel run")"
    [[ "${command}" == "${record}" ]] ||
        fail "expected the test to print \"${record}\", found \"${command}\"."
    # Fewer runs than a reader's, here and below: CI has seen them all agree.
    paste "${record} -- --repeats=2"
    paste "${show}"
    # The example has recorded the same.
    paste "${show/show/diff} ${workspace}/examples/monorepo/${golden}"

    # Its numbers are others now. By the way the wheels become its own.
    sed --in-place 's/max: 1e-3/max: 2e-3/' models/nano_gpt/nano_gpt.textproto
    cp --recursive "${workspace}/examples/monorepo/third_party" .
    sed --in-place 's|regress_repositories()|regress_repositories(lock = "//third_party:requirements_lock.txt")|' WORKSPACE
    paste_failing "${test}" "its case has changed"
    command="$(printed "python3 .* accept ")"
    paste "${command/--reason=\"\"/--reason=\"A higher learning rate.\"}"
    paste "${repeat} --runs_per_test=1"
    # A trainer that is not this project's.
    cp --recursive "${workspace}/examples/monorepo/models/data_parallel" models
    paste "bazel test //models/data_parallel:data_parallel_test"
    echo "[${SECONDS} s] done"
}

case "${1:-}" in
"") test_example monorepo "${workspace}/tools/bazelw" ;;
docs) as_documented ;;
bzlmod) by_module "${2:-monorepo}" ;;
*) fail "expected nothing, docs or bzlmod as the argument, found $1." ;;
esac
