"""Prints a SHA-256 of everything in a directory.

Bazel does not notice changes inside a directory that is one label. A file
beside it with this digest makes it notice.

This runs in a repository rule, so it uses no syntax or module newer than Python
3.6.
"""

import hashlib
import os
import pathlib
import sys


def tree_digest(directory: pathlib.Path) -> str:
    """Returns a digest of the directory's files.

    Args:
        directory: The directory; links in it are followed.

    Returns:
        A SHA-256 in hex of each file's path, executable bit, and the SHA-256
        of its content.
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
