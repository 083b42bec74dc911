#!/bin/bash
# Tests that a monorepo can use this repository. Runs the tests of
# examples/monorepo, which has this repository as an external one, and a case, a
# corpus, a golden and a lock of its own.
#   tools/ci/monorepo.sh          by WORKSPACE
#   tools/ci/monorepo.sh bzlmod   by MODULE.bazel, under Bazel 7.7.1
set -euo pipefail

workspace="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly workspace

bazel="${workspace}/tools/bazelw"
flags=(--color=no --curses=no --noshow_progress)
if [[ "${1:-}" == bzlmod ]]; then
    bazel="${workspace}/tools/bazel7"
    # Debian has most of what Bazel would fetch from its registry. No test needs
    # the rest, so stubs stand in for it.
    debian=/usr/share/bazel
    stubs="${workspace}/tools/stubs/bzlmod"
    flags+=(
        --enable_bzlmod
        --lockfile_mode=off
        "--override_module=apple_support=${stubs}/apple_support"
        "--override_module=bazel_features=${debian}/tools/features"
        "--override_module=bazel_skylib=${debian}/tools/skylib"
        "--override_module=buildozer=${stubs}/buildozer"
        "--override_module=platforms=${debian}/tools/platforms"
        "--override_module=protobuf=${stubs}/protobuf"
        "--override_module=rules_cc=${debian}/rules/cc"
        "--override_module=rules_java=${debian}/rules/java"
        "--override_module=rules_license=${debian}/rules/license"
        "--override_module=rules_proto=${debian}/rules/proto"
        "--override_module=rules_python=${debian}/rules/python"
        "--override_module=zlib=${stubs}/zlib"
    )
fi
cd "${workspace}/examples/${2:-monorepo}"
trap '"${bazel}" shutdown' EXIT
"${bazel}" test "${flags[@]}" --test_summary=short //...
