"""Packs the built extension as a wheel, for a machine that has no Bazel.

    python3 tools/transformer_engine/pack_wheel.py EXTENSION METADATA FOLDER

takes the .so that `tools/bazelw build --config=h100
@pypi_transformer_engine_torch//:extension` builds, and the METADATA in the
.dist-info beside its package. The same files give the same wheel.
"""

import base64
import hashlib
import pathlib
import re
import sys
import zipfile
from collections.abc import Sequence

_WHEEL = """\
Wheel-Version: 1.0
Generator: regress
Root-Is-Purelib: false
Tag: {tag}
"""


class PackError(Exception):
    """The files cannot be packed. The message is for the user."""


def pack(
    extension: pathlib.Path, metadata: str, folder: pathlib.Path
) -> pathlib.Path:
    """Packs an extension.

    Args:
        extension: The .so, named as CPython finds it:
            "x.cpython-312-x86_64-...so".
        metadata: The METADATA of its distribution.
        folder: The folder for the wheel.

    Returns:
        The wheel's path.

    Raises:
        PackError: The extension's name or the metadata lack something.
    """
    python = re.search(r"\.cpython-(\d+)-", extension.name)
    name = re.search(r"^Name: (.+)$", metadata, re.MULTILINE)
    version = re.search(r"^Version: (.+)$", metadata, re.MULTILINE)
    if not (python and name and version):
        raise PackError(
            f"{extension}: expected a CPython extension and metadata with a "
            f"name and a version, found {extension.name} and {metadata[:60]!r}."
        )
    tag = f"cp{python[1]}-cp{python[1]}-linux_x86_64"
    title = f"{name[1]}-{version[1]}"
    info = f"{title}.dist-info"
    files = {
        f"transformer_engine/wheel_lib/{extension.name}": (
            extension.read_bytes()
        ),
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": _WHEEL.format(tag=tag).encode(),
    }
    record = "".join(
        f"{path},sha256={_digest(content)},{len(content)}\n"
        for path, content in files.items()
    )
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"{title}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            # A ZipInfo without a date keeps the time of the build out.
            archive.writestr(zipfile.ZipInfo(path), content)
    return wheel


def _digest(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def main(argv: Sequence[str]) -> None:
    """Packs what the arguments name, and prints the wheel's path."""
    _, extension, metadata, folder = map(pathlib.Path, argv)
    try:
        print(pack(extension, metadata.read_text(), folder))
    except PackError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv)
