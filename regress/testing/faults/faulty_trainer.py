"""The trainer, with the fault of the catalogue that --fault names."""

import sys
from collections.abc import Sequence

from absl import flags

from regress.trainer import main as trainer

_FAULT = flags.DEFINE_string(
    "fault", "", "Name of a fault in the catalogue; none by default."
)


def preload(argv: Sequence[str]) -> None:
    """Imports what every rank needs, as the trainer's own."""
    trainer.preload(argv)
    # It imports torch, which must find the backend ready.
    import regress.testing.faults.catalogue  # noqa: F401


def main(argv: Sequence[str]) -> int:
    """Runs one rank, faulty if so told. Returns its exit code."""
    preload(argv)
    from regress.testing.faults import catalogue

    flags.FLAGS.unparse_flags()
    flags.FLAGS([sys.argv[0], *argv])
    if _FAULT.value:
        install = catalogue.BY_NAME[_FAULT.value].injection.trainer
        assert install is not None
        install()
    return trainer.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
