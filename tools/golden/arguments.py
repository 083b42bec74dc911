"""The flags that several commands take."""

import pathlib

from absl import flags

from tools.golden import command

_CHANNEL = flags.DEFINE_string("channel", "dev", "The packages' channel.")
_HARDWARE = flags.DEFINE_string(
    "hardware", "none", "The hardware: `none`, `nvidia_h200`, ..."
)
_OUTPUT = flags.DEFINE_string(
    "output",
    "",
    "Where to write; record's default is the golden's place in "
    "testdata/golden.",
)
_REASON = flags.DEFINE_string(
    "reason",
    "",
    "accept, record: why the golden that is there is replaced, in a sentence.",
)


def channel() -> str:
    """The channel, `dev` if none was given."""
    return str(_CHANNEL.value)


def hardware() -> str:
    """The hardware, `none` if none was given."""
    return str(_HARDWARE.value)


def output() -> pathlib.Path | None:
    """Where to write; None if the user did not say."""
    return command.path(_OUTPUT.value) if _OUTPUT.value else None


def reason() -> str:
    """Why a golden is replaced; "" if the user did not say."""
    return str(_REASON.value)
