"""The steps by which a file gets onto a disk, one method each.

All that a save does to the file system goes through here, so that a test can
end the world after any of the steps, or lose what was not flushed.
"""

import os
import pathlib
import shutil


class Disk:
    """The file system of this machine."""

    def create(self, path: pathlib.Path) -> int:
        """Opens an empty file for writing. Returns its descriptor."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        return os.open(path, flags, 0o666)

    def write(self, fd: int, data: memoryview) -> int:
        """Writes some of the data. Returns how many bytes."""
        return os.write(fd, data)

    def flush(self, fd: int) -> None:
        """Returns when the file's content is on the disk; not its name."""
        os.fsync(fd)

    def close(self, fd: int) -> None:
        """Closes a descriptor."""
        os.close(fd)

    def rename(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """Gives a file another name; what had that name is gone."""
        source.rename(target)

    def make_folder(self, path: pathlib.Path) -> bool:
        """Makes a folder. Returns whether it was not there."""
        try:
            path.mkdir()
        except FileExistsError:
            return False
        return True

    def flush_folder(self, path: pathlib.Path) -> None:
        """Returns when the names in the folder are on the disk."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def delete_folder(self, path: pathlib.Path) -> None:
        """Deletes a folder with all that is in it."""
        shutil.rmtree(path)
