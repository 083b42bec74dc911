"""Prints the SHA-256 of all that is in a directory.

Bazel takes a directory that is one label for unchanged, whatever has changed in
it. A file beside it with this digest makes it notice.

Runs in a repository rule: no syntax or module newer than Python 3.6.
"""

import hashlib
import os
import pathlib
import sys


def tree_digest(directory: pathlib.Path) -> str:
    """Returns a digest of the directory's files.

    Args:
        directory: Links in it are followed.

    Returns:
        SHA-256 in hex of each file's path, whether it may be executed, and the
        SHA-256 of its content.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.is_file()):
        content = hashlib.sha256()
        with path.open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                content.update(block)
        name = path.relative_to(directory).as_posix()
        executable = int(os.access(str(path), os.X_OK))
        digest.update(f"{name}\0{executable}{content.hexdigest()}".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    print(tree_digest(pathlib.Path(sys.argv[1])))
