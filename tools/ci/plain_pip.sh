#!/bin/bash
# Tests what a stranger gets, with only this repository and the package index
# that pip uses without any configuration.
#   tools/ci/plain_pip.sh          the index has every file that the locks pin
#   tools/ci/plain_pip.sh clone    README's first command in a fresh clone, with
#                                  fresh downloads (gigabytes)
#   tools/ci/plain_pip.sh debian   the same in a minimal Debian stable that has
#                                  git, python3 and pip; as root, on Debian
# This machine's certificates and proxies stay in use.
set -euo pipefail

readonly FIRST_COMMAND=(
    tools/bazelw test
    //regress:gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_test
    --test_output=streamed
)

workspace="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly workspace

fail() {
    echo >&2 "tools/ci/plain_pip.sh: $1"
    exit 1
}

# This machine's find-links, other indexes and constraints must not count.
export PIP_CONFIG_FILE=/dev/null
unset PIP_FIND_LINKS PIP_EXTRA_INDEX_URL PIP_INDEX_URL PIP_CONSTRAINT

check_locks() {
    local pythons=() version
    for version in 3.12 3.13; do
        pythons+=("$("${workspace}/tools/ci/python_of.sh" "${version}")")
    done
    "${pythons[0]}" "${workspace}/tools/python/lock.py" --check "${pythons[@]}"
}

clone() {
    scratch="$(mktemp --directory --tmpdir="${HOME}/.cache" regress.XXXXXX)"
    trap 'chmod --recursive u+w "${scratch}"; rm --recursive --force "${scratch}"' EXIT
    git clone --quiet "${workspace}" "${scratch}/regress"
    cd "${scratch}/regress"
    export REGRESS_WHEEL_CACHE="${scratch}/wheels" TEST_TMPDIR="${scratch}/output"
    time "${FIRST_COMMAND[@]}"
    tools/bazelw shutdown
}

debian() {
    local root package certificates="${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}"
    for package in bubblewrap mmdebstrap; do
        dpkg-query --show "${package}" >/dev/null 2>&1 ||
            apt-get install --yes --quiet --quiet "${package}" >&2
    done
    scratch="$(mktemp --directory --tmpdir="${HOME}/.cache" regress.XXXXXX)"
    trap 'chmod --recursive u+w "${scratch}"; rm --recursive --force "${scratch}"' EXIT
    root="${scratch}/root"
    # A mirror may be a snapshot that has expired.
    mmdebstrap --quiet --variant=minbase \
        --include=ca-certificates,git,python3,python3-pip \
        --aptopt='Acquire::Check-Valid-Until "false"' stable "${root}" >&2
    git clone --quiet "${workspace}" "${root}/root/regress"
    # shellcheck disable=SC2016  # The inner shell expands it.
    time bwrap \
        --clearenv \
        --bind "${root}" / \
        --dev-bind /dev /dev \
        --bind /proc /proc \
        --ro-bind /sys /sys \
        --perms 1777 --tmpfs /tmp \
        --ro-bind /etc/resolv.conf /etc/resolv.conf \
        --ro-bind "${certificates}" /etc/machine_certificates.crt \
        --setenv PIP_CERT /etc/machine_certificates.crt \
        --ro-bind-try /etc/apt/apt.conf.d /etc/apt/apt.conf.d \
        --setenv HOME /root \
        --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin \
        --chdir /root/regress \
        /bin/bash -c '"$@" && tools/bazelw shutdown' bash "${FIRST_COMMAND[@]}"
}

case "${1:-}" in
"") check_locks ;;
clone) clone ;;
debian) debian ;;
*) fail "expected nothing, clone or debian as the argument, found $1." ;;
esac
