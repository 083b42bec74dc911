#!/bin/bash
# Packs what a bare CUDA host without a network needs to run `bazel test`:
# Bazel, a JDK and zip; megatron-core, and Transformer Engine with the extension
# that is built here; and the small packages of the lock. The host has torch and
# its CUDA libraries.
#   tools/gpu_host/pack.sh FOLDER [MEGABYTES]
# makes FOLDER/00/part, FOLDER/01/part and so on, none larger than MEGABYTES
# (45), and FOLDER/sha256. tools/gpu_host/install.sh installs them there.
#
# Runs on Debian, where Bazel is the package that tools/bazelw installs. Set
# REGRESS_PYTHON to a Python of the host's minor version.
set -euo pipefail

readonly TARGET=//regress:gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_test
readonly EXTENSION=@pypi_transformer_engine_torch//:extension
# install.sh installs those of these that the host does not have. What torch
# needs comes with the host's torch.
readonly TRAINING=(
    annotated-types einops importlib-metadata lazy-importer megatron-core
    ml-dtypes onnx onnx-ir onnxscript packaging psutil pydantic pydantic-core
    transformer-engine transformer-engine-cu13 typing-extensions
    typing-inspection zipp
)
# The host has these, so they are not packed.
readonly HOSTS='^(cuda|nvidia)_|^(torch|triton|numpy)$'
# Every Linux has its own; with another machine's, a program does not start.
readonly OF_LIBC='/(libc|libm|libpthread|libdl|librt|libresolv|ld-linux.*)\.so'

fail() {
    echo >&2 "tools/gpu_host/pack.sh: $1"
    exit 1
}

[[ $# == 1 || $# == 2 ]] || fail "expected a folder and perhaps a size in megabytes, found $# arguments."
mkdir -p "$1"
output="$(cd "$1" && pwd)"
readonly output megabytes="${2:-45}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
[[ -x /usr/bin/bazel-4 ]] || fail "expected Debian's Bazel, /usr/bin/bazel-4, found none: run tools/bazelw once on a Debian."
stage="$(mktemp --directory)"
trap 'chmod --recursive u+w "${stage}"; rm --recursive --force "${stage}"' EXIT

# Copies a file or a folder to the same path below a root.
copy() {
    mkdir -p "$2$(dirname "$1")"
    cp --archive "$1" "$2$(dirname "$1")/"
}

pack_bazel() {
    local root="$1" file jdk
    mkdir -p "${root}/lib"
    for file in /usr/bin/bazel-4 /usr/share/bazel /usr/lib/x86_64-linux-gnu/bazel \
        /usr/libexec/x86_64-linux-gnu/bazel "$(type -P zip)"; do
        copy "${file}" "${root}"
    done
    # ldd fails for anything but a dynamic program, such as a script.
    { find "${root}/usr" -type f -executable -exec ldd {} + 2>/dev/null || true; } |
        awk '/=> \//{print $3}' | sort --unique | grep --invert-match --extended-regexp "${OF_LIBC}" |
        xargs --replace cp --dereference {} "${root}/lib/"
    jdk="$(realpath /usr/lib/jvm/default-java)"
    [[ -x "${jdk}/bin/jlink" ]] || fail "expected a JDK with jlink in /usr/lib/jvm/default-java, found none: install default-jdk-headless."
    "${jdk}/bin/jlink" --module-path "${jdk}/jmods" --add-modules ALL-MODULE-PATH \
        --strip-debug --no-header-files --no-man-pages --output "${root}/jdk"
}

# Reads keys, and prints the lock's pins of these distributions, as pip takes
# them.
pins_of() {
    local program='
import json, sys
pins = json.loads(sys.argv[1])
for key in sorted({line.strip().replace("-", "_") for line in sys.stdin}):
    if key in pins:
        pin, hashes = pins[key]
        print(pin, *("--hash=sha256:" + h for h in hashes))
'
    "${python}" -I -c "${program}" "$("${python}" -I tools/python/lock_file.py requirements_lock.txt)"
}

tools/bazelw build --config=h100 "${EXTENSION}"
python="$(readlink "$(tools/bazelw info output_base)/external/python/host_python")"
readonly python

mkdir -p "${stage}/wheels" "${stage}/root"
metadata=("$(tools/bazelw info output_base)"/external/pypi_transformer_engine_torch/site-packages/transformer_engine_torch-*.dist-info/METADATA)
# Beside it may be what was built for another Python.
suffix="$("${python}" -I -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')"
"${python}" tools/transformer_engine/pack_wheel.py \
    "$(tools/bazelw info bazel-bin)/external/pypi_transformer_engine_torch/site-packages/transformer_engine/wheel_lib/transformer_engine_torch${suffix}" \
    "${metadata[0]}" "${stage}/wheels"
printf '%s\n' "${TRAINING[@]}" | pins_of >"${stage}/requirements.txt"
"${python}" -m pip download --quiet --no-deps --only-binary=:all: --require-hashes \
    --dest "${stage}/wheels" --requirement "${stage}/requirements.txt"

# The other packages are packed as Bazel fetched them, byte code included.
tools/bazelw cquery --config=h100 "deps(${TARGET})" |
    sed --quiet 's/^@pypi_\(dev_\)\?\([a-z0-9_]*\)\/\/.*/\2/p' |
    grep --invert-match --extended-regexp "${HOSTS}" |
    grep --invert-match --extended-regexp '^transformer_engine|^megatron_core$' |
    pins_of >"${stage}/pins"
mkdir "${stage}/scratch"
while read -r pin hashes; do
    # shellcheck disable=SC2086  # Each hash is one argument.
    (cd "${stage}/scratch" && REGRESS_WHEEL_CACHE="${stage}/root/wheel_cache" \
        "${python}" -I "${OLDPWD}/tools/python/wheel.py" "${pin}" ${hashes//--hash=sha256:/}) ||
        fail "$(cat "${stage}/scratch/error")"
done <"${stage}/pins"

pack_bazel "${stage}/root"
# Wheels are already compressed.
tar --directory="${stage}/root" --create . | xz -2 --threads=0 >"${stage}/root.tar.xz"
rm --recursive --force "${output:?}"/[0-9][0-9] "${output}/sha256"
tar --directory="${stage}" --create root.tar.xz wheels |
    split --bytes="${megabytes}MB" --numeric-suffixes --suffix-length=2 - "${stage}/part."
for part in "${stage}"/part.*; do
    mkdir "${output}/${part##*.}"
    mv "${part}" "${output}/${part##*.}/part"
done
cat "${output}"/[0-9][0-9]/part | sha256sum | cut --delimiter=' ' --fields=1 >"${output}/sha256"
du --summarize --human-readable "${output}"/[0-9][0-9]
