#!/bin/bash
# Runs the GPU test by Bazel on a host that tools/gpu_host/install.sh has
# prepared, in a sandbox without a network and with the host's packages:
#   tools/gpu_host/run.sh h200 [FLAG | TARGET]...
# The first argument is the --config for the host's GPU. PREFIX names another
# folder than /opt/regress, if install.sh got one.
set -euo pipefail

readonly TARGET=//regress:gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_test

prefix="${PREFIX:-/opt/regress}"
if [[ $# == 0 || ! -x "${prefix}/bin/bazel" ]]; then
    echo >&2 "tools/gpu_host/run.sh: expected a config as h200, and ${prefix}/bin/bazel: run tools/gpu_host/install.sh first, or set PREFIX to where that installed."
    exit 1
fi
config="$1"
shift
[[ "$*" == *//* ]] || set -- "$@" "${TARGET}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export PATH="${prefix}/bin:${PATH}"
export REGRESS_WHEEL_CACHE="${prefix}/wheel_cache"
REGRESS_PYTHON="$(type -P python3)"
export REGRESS_PYTHON
exec tools/bazelw test \
    --config="${config}" \
    --config=image \
    --repo_env=REGRESS_IMAGE_PYTHON="${prefix}/python/bin/python" \
    "$@"
