"""Packs a bundle: the same files give the same archive, to the byte."""

import gzip
import io
import json
import pathlib
import sys
import tarfile
from collections.abc import Mapping, Sequence

# bundle_main.py reads this file, which is beside the program's files.
PROGRAM = "program.json"
_MAIN = "__main__.py"
_FILES = "files"


def pack(manifest: Mapping[str, object], main: bytes) -> bytes:
    """Returns a .tar.gz with one folder, which `python3` can run.

    Args:
        manifest: `name` of the folder; `target`, `module`, `arguments` and
            `unneeded` for bundle_main.py; `files`, which maps paths in the
            bundle to paths here.
        main: The folder's main program.
    """
    name = manifest["name"]
    files = manifest["files"]
    assert isinstance(files, Mapping)
    program = {
        key: manifest[key]
        for key in ("target", "module", "arguments", "unneeded")
    }
    archive = io.BytesIO()
    # gzip would record the time of the build and the name of a scratch file.
    with (
        gzip.GzipFile("", "wb", 6, archive, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as tar,
    ):
        _add(tar, f"{name}/{_MAIN}", main)
        text = json.dumps(program, indent=2, sort_keys=True) + "\n"
        _add(tar, f"{name}/{PROGRAM}", text.encode())
        for path, source in sorted(files.items()):
            content = pathlib.Path(source).read_bytes()
            _add(tar, f"{name}/{_FILES}/{path}", content)
    return archive.getvalue()


def _add(tar: tarfile.TarFile, path: str, content: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.size = len(content)
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(content))


def main(argv: Sequence[str]) -> None:
    """Reads the manifest (first argument), writes the archive (second)."""
    _, manifest, archive = argv
    here = pathlib.Path(__file__)
    pathlib.Path(archive).write_bytes(
        pack(
            json.loads(pathlib.Path(manifest).read_text()),
            here.with_name("bundle_main.py").read_bytes(),
        )
    )


if __name__ == "__main__":
    main(sys.argv)
