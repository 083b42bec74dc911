#!/bin/bash
# Installs what tools/gpu_host/pack.sh packed, on the CUDA host:
#   tools/gpu_host/install.sh FOLDER [PREFIX]
# turns the parts in FOLDER into PREFIX (/opt/regress): a Bazel, packages as
# Bazel fetches them, and a Python with the packages of the host's python3 and
# whatever else training needs. It needs python3 with pip and torch, and no
# network. tools/gpu_host/run.sh then runs a test.
set -euo pipefail

fail() {
    echo >&2 "tools/gpu_host/install.sh: $1"
    exit 1
}

[[ $# == 1 || $# == 2 ]] || fail "expected a folder with parts and perhaps a prefix, found $# arguments."
readonly parts="$1" prefix="${2:-/opt/regress}"
[[ "${prefix}" == /* ]] || fail "expected an absolute path as the prefix, found ${prefix}."
case "${prefix}/" in
/tmp/*) fail "expected a prefix outside of /tmp, which is empty in Bazel's sandbox, found ${prefix}." ;;
esac

expected="$(<"${parts}/sha256")"
actual="$(cat "${parts}"/[0-9][0-9]/part | sha256sum | cut --delimiter=' ' --fields=1)"
[[ "${actual}" == "${expected}" ]] ||
    fail "expected parts with the SHA-256 ${expected} together, found ${actual} in $(echo "${parts}"/[0-9][0-9]): copy all of them."

mkdir -p "${prefix}"
# A bare host has neither xz nor unzip.
cat "${parts}"/[0-9][0-9]/part | python3 -c '
import sys, tarfile
with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
    tar.extractall(sys.argv[1], filter="data")
with tarfile.open(sys.argv[1] + "/root.tar.xz") as tar:
    tar.extractall(sys.argv[1], filter="tar")
' "${prefix}"
rm "${prefix}/root.tar.xz"

# The new Python has the host's packages and those that the host lacks. The
# host's python3 may be of a virtual environment; one made from it would not see
# those packages, hence the .pth file.
python3 -m venv --without-pip "${prefix}/python"
python3 -c '
import sys
print("\n".join(path for path in sys.path if path.endswith("-packages")))
' >"$(echo "${prefix}"/python/lib/python3*/site-packages)/host.pth"
for wheel in "${prefix}"/wheels/*.whl; do
    name="${wheel##*/}"
    if "${prefix}/python/bin/python" -c '
import importlib.metadata, sys
importlib.metadata.version(sys.argv[1])' "${name%%-*}" 2>/dev/null; then
        echo "the host's: ${name%%-*}"
    else
        "${prefix}/python/bin/python" -m pip install --quiet --no-index --no-deps \
            --disable-pip-version-check --root-user-action=ignore "${wheel}"
        echo "installed: ${name%%-*}"
    fi
done

mkdir -p "${prefix}/bin"
cat >"${prefix}/bin/zip" <<EOF
#!/bin/bash
LD_LIBRARY_PATH="${prefix}/lib" exec "${prefix}/usr/bin/zip" "\$@"
EOF
cat >"${prefix}/bazelrc" <<EOF
startup --install_base=${prefix}/usr/share/bazel
startup --trust_install_base
startup --server_javabase=${prefix}/jdk
build --javabase=@bazel_tools//tools/jdk:absolute_javabase
build --host_javabase=@bazel_tools//tools/jdk:absolute_javabase
build --define=ABSOLUTE_JAVABASE=${prefix}/jdk
# A test packs its outputs with zip.
build --action_env=PATH=${prefix}/bin:/bin:/usr/bin:/usr/local/bin
EOF
cat >"${prefix}/bin/bazel" <<EOF
#!/bin/bash
# Debian's Bazel does not know its own version.
if [[ "\${1:-}" == --version ]]; then
    echo "bazel 4.2.3"
    exit
fi
LD_LIBRARY_PATH="${prefix}/lib" exec "${prefix}/usr/bin/bazel-4" --bazelrc="${prefix}/bazelrc" "\$@"
EOF
chmod +x "${prefix}"/bin/*
echo "installed in ${prefix}; run a test by: tools/gpu_host/run.sh h200"
