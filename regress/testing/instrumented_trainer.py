"""The trainer, with what --install names put in place: a fault, a marker.

`--install=MODULE:ARGUMENT`, any number of times, imports the module when the
trainer is imported, and calls its `install(ARGUMENT)` in the rank before it
trains. `--install_early` does so before torch is imported, and calls
`install_early(ARGUMENT)` there and `install(ARGUMENT)` later.
"""

import dataclasses
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Self

from absl import flags

from regress.trainer import main as trainer

_NAMES = ("install", "install_early")

for _name in _NAMES:
    flags.DEFINE_multi_string(
        _name, [], "What is installed: see the module's docstring."
    )


@dataclasses.dataclass(frozen=True)
class _Installation:
    module: str
    argument: str
    early: bool

    @classmethod
    def parse(cls, argv: Sequence[str]) -> list[Self]:
        """Finds the installations among the trainer's flags."""
        known = flags.FlagValues()
        holders = [
            flags.DEFINE_multi_string(name, [], "", flag_values=known)
            for name in _NAMES
        ]
        known([sys.argv[0], *argv], known_only=True)
        return [
            cls(module, argument, holder.name == "install_early")
            for holder in holders
            for module, _, argument in (
                text.partition(":") for text in holder.value
            )
        ]

    def load(self) -> ModuleType:
        return importlib.import_module(self.module)


def preload(argv: Sequence[str]) -> None:
    """Imports what every rank needs, and what the flags name."""
    trainer.preload(argv)
    for one in _Installation.parse(argv):
        one.load()


def main(argv: Sequence[str]) -> int:
    """Runs one rank. Returns its exit code."""
    installations = _Installation.parse(argv)
    for one in installations:
        if one.early:
            one.load().install_early(one.argument)
    preload(argv)
    # What is installed may ask for the rank.
    flags.FLAGS.unparse_flags()
    flags.FLAGS([sys.argv[0], *argv])
    for one in installations:
        one.load().install(one.argument)
    return trainer.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
