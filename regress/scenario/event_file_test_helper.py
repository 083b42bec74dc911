"""Makes records of TensorBoard's event files."""

import struct

from regress.scenario import tensorboard_files, tensorboard_pb2


def record(content: bytes) -> bytes:
    """Returns a record that has this content."""
    length = struct.pack("<Q", len(content))
    checksums = [
        struct.pack("<I", tensorboard_files.masked_crc32c(one))
        for one in (length, content)
    ]
    return length + checksums[0] + content + checksums[1]


def scalar(step: int, number: float, tag: bytes = b"loss") -> bytes:
    """Returns the record of a number."""
    value = tensorboard_pb2.Summary.Value(tag=tag, simple_value=number)
    event = tensorboard_pb2.Event(
        step=step, summary=tensorboard_pb2.Summary(value=[value])
    )
    return record(event.SerializeToString())
