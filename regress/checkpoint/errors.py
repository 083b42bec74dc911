"""What a user is told about checkpoints that cannot be read or written."""


class CheckpointError(Exception):
    """A checkpoint is missing or damaged. One sentence."""


class CheckpointWriteError(Exception):
    """A checkpoint cannot be written. One sentence."""
