#!/bin/bash
# Tests which Python the first command takes, and what it says if there is none
# it can use. A home directory and a PATH stand in for a machine.
#   tools/ci/python_cases.sh
# The last line says how many of the cases passed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

scratch="$(mktemp --directory)"
readonly scratch
readonly base="${scratch}/output"
bazel="$(type -P bazel || type -P bazelisk)"
python="$(tools/ci/python_of.sh 3.12)" || exit
readonly bazel python

passed=0
failed=0

# Runs Bazel on a machine, which is variables of the environment. All machines
# share a server, as it takes seconds to start.
bazelw_on() {
    local machine=()
    while [[ "$1" == *=* ]]; do
        machine+=("$1")
        shift
    done
    env --ignore-environment "${machine[@]}" USER=nobody \
        PATH="${scratch}/bin:/usr/bin:/bin" tools/bazelw \
        "--output_user_root=${scratch}/user" "--output_base=${base}" "$@"
}

# Expects a pattern in what Bazel says when it looks for a Python on a machine,
# or in the version and the path of the one that it takes.
expect() {
    local name="$1" pattern="$2" output
    shift 2
    output="$(bazelw_on "$@" sync --configure --color=no --curses=no \
        --noshow_progress 2>&1)"
    output+="$(cat "${base}/external/python/version.bzl" 2>/dev/null)"
    output+=" $(readlink "${base}/external/python/host_python")"
    if grep --quiet --extended-regexp "${pattern}" <<<"${output}"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo >&2 "${name}: expected ${pattern}, found: ${output}"
    fi
}

finish() {
    bazelw_on HOME="${scratch}/none" shutdown
    chmod --recursive u+w "${scratch}"
    rm --recursive --force "${scratch}"
}
trap finish EXIT

mkdir --parents "${scratch}"/{bin,none,pyenv/.pyenv/versions/3.12.9/bin,uv/.local/share/uv/python/cpython-3.12.9-linux/bin}
ln --symbolic "${bazel}" "${scratch}/bin/"
# A version manager puts a stub like this one on the PATH.
printf '#!/bin/sh\necho "pyenv: python3.13: command not found" >&2\nexit 127\n' \
    >"${scratch}/bin/python3.13"
chmod +x "${scratch}/bin/python3.13"
ln --symbolic "${python}" "${scratch}/pyenv/.pyenv/versions/3.12.9/bin/python3.12"
ln --symbolic "${python}" "${scratch}/uv/.local/share/uv/python/cpython-3.12.9-linux/bin/python3.12"

if ! env --ignore-environment PATH=/usr/bin:/bin sh -c 'python3.12 -m pip --version || python3.13 -m pip --version' >/dev/null 2>&1; then
    expect none \
        'wrong Python: expected Python 3.13 or 3.12 with pip, looked in PATH .* found .*python3.13 \(fails: pyenv: .*command not found\).*: install one \(Debian 13 or Ubuntu 24.04' \
        HOME="${scratch}/none"
    expect pyenv 'PYTHON_VERSION = "3.12" .*/pyenv/' HOME="${scratch}/pyenv"
    expect uv 'PYTHON_VERSION = "3.12" .*/uv/' HOME="${scratch}/uv"
fi
printf '#!/bin/sh\necho "python3.12: error while loading shared libraries: libpython3.12.so.1.0: cannot open shared object file: No such file or directory" >&2\nexit 127\n' \
    >"${scratch}/none/python3.12"
chmod +x "${scratch}/none/python3.12"
expect no_library \
    'lacks libpython3.12.so.1.0: install libpython3.12 \(Debian, Ubuntu\)' \
    HOME="${scratch}/none" REGRESS_PYTHON="${scratch}/none/python3.12"
expect chosen_none \
    'wrong Python: .* looked in REGRESS_PYTHON, found none: ' \
    HOME="${scratch}/none" REGRESS_PYTHON=/nowhere/python3
expect chosen 'PYTHON_VERSION = "3.12" /' \
    HOME="${scratch}/none" REGRESS_PYTHON="${python}"

echo "${passed} passed, ${failed} failed"
[[ "${failed}" == 0 ]]
