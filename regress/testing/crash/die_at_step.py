"""The steps of a rank's save, counted, and a rank that dies at one of them."""

import os
import pathlib
import signal
from typing import Any

from regress.checkpoint import disk, layout

_RANK_FILE = pathlib.PurePath(layout.rank_file(0)).name


def install(die_at: str, iteration: int, log: pathlib.Path) -> None:
    """Changes `disk.Disk` in this process.

    Steps are counted from the creation of the rank's file: that is 1. What
    comes before, the folders, is another for each rank, as one of them makes
    what all need.

    Args:
      die_at: the step after which the process dies by SIGKILL: "4"; in the
        middle of which, if it is a write: "2h"; before all: "0"; never: "".
      iteration: of the save that is meant.
      log: a file that gets a line for each step.
    """
    folder = layout.folder(pathlib.Path(), iteration).name
    count = 0

    def counts(path: pathlib.Path) -> bool:
        nonlocal count
        begins = path.name == _RANK_FILE + layout.ASIDE
        if not count and not (begins and folder in path.parts):
            return False
        count += 1
        return True

    def die_if_at(step: str) -> None:
        if step == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    paths: dict[int, pathlib.Path] = {}

    def counted(name: str) -> Any:
        original = getattr(disk.Disk, name)

        def step(self: disk.Disk, subject: Any, *rest: Any) -> Any:
            path = paths.get(subject, subject)
            counting = counts(path)
            if counting and count == 1:
                die_if_at("0")
            if counting and name == "write" and die_at == f"{count}h":
                original(self, subject, rest[0][: len(rest[0]) // 2])
                die_if_at(f"{count}h")
            result = original(self, subject, *rest)
            if name == "create":
                paths[result] = path
            if counting:
                with open(log, "a") as lines:
                    lines.write(f"{name} {path.name}\n")
                die_if_at(str(count))
            return result

        return step

    for name in (
        "create",
        "write",
        "flush",
        "rename",
        "make_folder",
        "flush_folder",
        "delete_folder",
    ):
        setattr(disk.Disk, name, counted(name))
