"""Runs one rank in a new interpreter: `exec_rank PARENT FDS MODULE ARGV...`."""

import importlib
import os
import sys

from regress.run import control
from regress.supervisor import linux, rank_program, standard_streams


def main() -> None:
    """Runs the trainer's `main`."""
    parent, descriptors, module, *argv = sys.argv[1:]
    linux.die_with_parent(int(parent))
    kept = [int(fd) for fd in descriptors.split(",")]
    linux.close_descriptors(keep=kept)
    for fd in kept:
        os.set_inheritable(fd, False)
    standard_streams.buffer_by_line()
    if not control.stand_by():
        return
    rank_program.run(importlib.import_module(module), argv)


if __name__ == "__main__":
    main()
