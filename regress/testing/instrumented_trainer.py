"""The trainer with modules installed, for example a fault or a phase marker.

`--install=MODULE:ARGUMENT` imports the module together with the trainer and
calls its `install(ARGUMENT)` in the rank before training.
`--install_early=MODULE:ARGUMENT` imports the module before torch, calls its
`install_early(ARGUMENT)` at once and its `install(ARGUMENT)` before training.
Both flags may be repeated.
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
        _name, [], "A module to install; see the module docstring."
    )


@dataclasses.dataclass(frozen=True)
class _Installation:
    module: str
    argument: str
    early: bool

    @classmethod
    def parse(cls, argv: Sequence[str]) -> list[Self]:
        """Parses the installations from the trainer's flags."""
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
    """Preloads the trainer and imports the modules that the flags name."""
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
    # An `install` may read the flags, for example the rank.
    flags.FLAGS.unparse_flags()
    flags.FLAGS([sys.argv[0], *argv])
    for one in installations:
        one.load().install(one.argument)
    return trainer.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
