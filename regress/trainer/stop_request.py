"""Somebody asks the trainer to save and stop, as a scheduler does."""

import signal


class StopRequest:
    """Takes note of a SIGTERM instead of dying by it.

    Attributes:
      came: whether one has come.
    """

    def __init__(self) -> None:
        """From now on. To be called in the main thread."""
        self.came = False
        signal.signal(signal.SIGTERM, self._take_note)

    def _take_note(self, number: int, frame: object) -> None:
        del number, frame
        self.came = True
