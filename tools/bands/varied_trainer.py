"""The trainer, with the variation that --variation names."""

import sys
from collections.abc import Sequence

from absl import flags

from regress.trainer import main as trainer
from tools.bands import variations

_VARIATION = flags.DEFINE_string("variation", "", "Name of a variation.")


def preload(argv: Sequence[str]) -> None:
    """Imports what every rank needs, as the trainer's own."""
    trainer.preload(argv)


def main(argv: Sequence[str]) -> int:
    """Runs one rank. Returns its exit code."""
    flags.FLAGS.unparse_flags()
    flags.FLAGS([sys.argv[0], *argv])
    variation = variations.BY_NAME[_VARIATION.value]
    variation.before()
    preload(argv)
    variation.after()
    return trainer.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
