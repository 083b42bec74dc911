#!/bin/bash
# Prints the path of a Python of a minor version; looks where
# tools/python/toolchain.bzl does: tools/ci/python_of.sh 3.12
set -euo pipefail

for candidate in "python$1" \
    "${PYENV_ROOT:-${HOME}/.pyenv}"/versions/"$1".*/bin/python"$1" \
    "${UV_PYTHON_INSTALL_DIR:-${HOME}/.local/share/uv/python}"/cpython-"$1".*/bin/python"$1"; do
    if "${candidate}" -c '' 2>/dev/null; then
        type -P "${candidate}"
        exit
    fi
done
echo >&2 "tools/ci/python_of.sh: expected a Python $1 on the PATH, or one that pyenv or uv keeps, found none: install it, for instance by \`uv python install $1\`, and run this again."
exit 1
