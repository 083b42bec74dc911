"""A real ext4 file system, whose power can be cut.

It is in a file behind a loop device. The kernel's EXT4_IOC_SHUTDOWN ends it at
once: nothing that is not on the disk gets there, and every later operation
fails. The next mount finds what a power failure leaves.
"""

import ctypes
import fcntl
import os
import pathlib
import shutil
import subprocess
from types import TracebackType
from typing import Self

from regress import errors

_BYTES = 64 << 20
# From the kernel's fs/ext4/ext4.h: the request, and the flag that forbids to
# flush even the journal.
_EXT4_IOC_SHUTDOWN = 0x8004587D
_WITHOUT_FLUSH = 2

_PROGRAMS = ("mkfs.ext4", "mount", "umount")


class Ext4ImageError(errors.UserError):
    """This machine cannot mount an image. One sentence."""


class Ext4Image:
    """A context manager that mounts an empty file system.

    Attributes:
        folder: Where it is mounted.
    """

    def __init__(self, image: pathlib.Path, folder: pathlib.Path) -> None:
        """Makes nothing yet.

        Args:
            image: The file to make.
            folder: Where to mount it; made if it does not exist.
        """
        self._image = image
        self.folder = folder

    def __enter__(self) -> Self:
        """Makes and mounts the file system.

        Raises:
            Ext4ImageError: This machine cannot do so.
        """
        missing = [name for name in _PROGRAMS if shutil.which(name) is None]
        if os.geteuid() or missing:
            raise Ext4ImageError(
                "A power cut needs a file system of its own, which only root "
                "can mount, with "
                f"{', '.join(_PROGRAMS)}; this user has the id {os.geteuid()}"
                + (f", and there is no {missing[0]}." if missing else ".")
            )
        with open(self._image, "wb") as file:
            file.truncate(_BYTES)
        self.folder.mkdir(parents=True, exist_ok=True)
        _run("mkfs.ext4", "-q", "-F", str(self._image))
        self._mount()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Unmounts it, and deletes the image."""
        _run("umount", str(self.folder))
        self._image.unlink()

    def restart(self) -> None:
        """Mounts it anew, as after a power cut. No file may be open."""
        _run("umount", str(self.folder))
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.folder))


def cut_power(folder: pathlib.Path) -> None:
    """Cuts the power of the ext4 file system that a folder is on."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(
            fd, _EXT4_IOC_SHUTDOWN, bytes(ctypes.c_uint32(_WITHOUT_FLUSH))
        )
    finally:
        os.close(fd)


def _run(*command: str) -> None:
    completed = subprocess.run(
        command, capture_output=True, text=True, check=False
    )
    if completed.returncode:
        raise Ext4ImageError(
            f"This machine cannot make a file system in a file: "
            f"`{' '.join(command)}` failed with "
            f"{completed.stderr.strip()!r}. Run this where loop devices can be "
            "mounted: on a machine of one's own, not in a container."
        )
