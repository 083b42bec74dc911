"""Tests for the numbers in TensorBoard's files.

testdata/events.out.tfevents.torch was written by torch 2.11.0 with tensorboard
2.21.0:

    writer = SummaryWriter("runs")
    for step in range(3):
        writer.add_scalar("loss", 1 / (step + 3), step)
        writer.add_scalar("lr", 0.1 * step, step, new_style=True)
        writer.add_scalar(
            "norm", 1 / (step + 3), step, new_style=True, double_precision=True
        )
    writer.add_scalar("bad", float("nan"), 3)
    writer.add_text("note", "words", 3)
    writer.add_histogram("h", torch.arange(10.0), 3)
    writer.close()
"""

import os
import pathlib
import struct
from unittest import mock

from absl.testing import absltest, parameterized

from regress.run import run_pb2
from regress.scenario import event_file_test_helper, tensorboard_files

_OF_TORCH = pathlib.Path(__file__).parent / "testdata/events.out.tfevents.torch"
_NAME = "events.out.tfevents.1"


class TensorboardFilesTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.job = pathlib.Path(self.create_tempdir().full_path)

    def write(self, content: bytes, name: str = _NAME) -> pathlib.Path:
        path = self.job / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def read(self, before: dict[str, int] | None = None) -> run_pb2.EventFile:
        (file,) = tensorboard_files.read_new(self.job, "**", before or {})
        return file

    def numbers(self, file: run_pb2.EventFile) -> list[tuple[int, str, str]]:
        return [
            (one.iteration, tag, text)
            for one in file.scalars
            for tag, text in one.metrics.items()
        ]

    def test_reads_what_torch_writes(self) -> None:
        self.write(_OF_TORCH.read_bytes(), "runs/x/events.out.tfevents.1")
        file = self.read()
        self.assertEqual(file.path, "runs/x/events.out.tfevents.1")
        self.assertEqual(
            (file.damage, file.torn, file.left_out), ("", False, 0)
        )
        self.assertEqual(
            self.numbers(file),
            [
                (0, "loss", "0.33333334"),
                (0, "lr", "0"),
                (0, "norm", "0.3333333333333333"),
                (1, "loss", "0.25"),
                (1, "lr", "0.1"),
                (1, "norm", "0.25"),
                (2, "loss", "0.2"),
                (2, "lr", "0.2"),
                (2, "norm", "0.2"),
                (3, "bad", "nan (0x7fc00000)"),
            ],
        )

    @parameterized.parameters(
        0x00000000,
        0x80000000,
        0x00000001,
        0x3F800001,
        # Has nine digits.
        0x3764E943,
        0x7F7FFFFF,
        0x7F800000,
        0xFF800000,
        0x7FC00001,
    )
    def test_a_number_keeps_its_bits(self, bits: int) -> None:
        (number,) = struct.unpack("<f", struct.pack("<I", bits))
        self.write(event_file_test_helper.scalar(1, number))
        ((_, _, text),) = self.numbers(self.read())
        if text.startswith("nan"):
            self.assertEqual(text, f"nan (0x{bits:08x})")
        else:
            self.assertEqual(
                struct.pack("<f", float(text)), struct.pack("<I", bits)
            )

    def test_the_tail_that_a_kill_leaves_is_no_damage(self) -> None:
        whole = event_file_test_helper.scalar(1, 2.0)
        for size in range(1, len(whole)):
            self.write(whole + whole[:size])
            file = self.read()
            self.assertTrue(file.torn, size)
            self.assertEqual(file.damage, "")
            self.assertEqual(self.numbers(file), [(1, "loss", "2")])

    def test_damage_is_told_with_its_place(self) -> None:
        whole = event_file_test_helper.scalar(1, 2.0)
        for place, what in (
            (0, "the checksum of a length is wrong"),
            (8, "the checksum of a length is wrong"),
            (15, "the checksum of a record is wrong"),
            (len(whole) - 1, "the checksum of a record is wrong"),
        ):
            damaged = bytearray(whole)
            damaged[place] ^= 1
            self.write(whole + damaged + whole)
            file = self.read()
            self.assertEqual(
                file.damage, f"damaged at byte {len(whole)}: {what}"
            )
            self.assertLen(file.scalars, 1)

    def test_a_launch_has_what_it_has_written(self) -> None:
        first = event_file_test_helper.scalar(1, 2.0)
        path = self.write(first, "runs/events.out.tfevents.1")
        before = tensorboard_files.sizes(self.job, "runs/**")
        self.assertEqual(before, {"runs/events.out.tfevents.1": len(first)})
        self.assertEmpty(
            tensorboard_files.read_new(self.job, "runs/**", before)
        )
        path.write_bytes(first + event_file_test_helper.scalar(2, 3.0))
        self.assertEqual(self.numbers(self.read(before)), [(2, "loss", "3")])

    @parameterized.parameters("**", "runs/**", "runs", "runs/*", "*/e*")
    def test_a_pattern_names_files_or_folders(self, pattern: str) -> None:
        self.write(event_file_test_helper.scalar(1, 2.0), f"runs/{_NAME}")
        self.write(b"x", "runs/notes.txt")
        self.assertEqual(
            list(tensorboard_files.sizes(self.job, pattern)), [f"runs/{_NAME}"]
        )

    def test_without_a_pattern_there_is_nothing(self) -> None:
        self.write(event_file_test_helper.scalar(1, 2.0))
        self.assertEmpty(tensorboard_files.sizes(self.job, ""))

    def test_pictures_are_skipped_and_other_content_too(self) -> None:
        picture = bytearray(event_file_test_helper.record(bytes(2**20 + 1)))
        # Nobody looks at it.
        picture[-1] ^= 1
        self.write(
            event_file_test_helper.record(b"\xff" * 10)
            + picture
            + event_file_test_helper.scalar(1, 2.0, b"\xff")
        )
        self.assertEqual(self.numbers(self.read()), [(1, "\ufffd", "2")])

    def test_numbers_have_a_bound(self) -> None:
        self.write(
            b"".join(
                event_file_test_helper.scalar(step, 1.0)
                for step in (1, 2, 3, 2**40)
            )
        )
        with mock.patch.object(tensorboard_files, "_MOST_NUMBERS", 2):
            file = self.read()
        self.assertLen(file.scalars, 2)
        self.assertEqual(file.left_out, 2)

    def test_a_pipe_is_not_waited_for(self) -> None:
        os.mkfifo(self.job / _NAME)
        self.assertEmpty(tensorboard_files.read_new(self.job, "**", {}))

    def test_the_checksum_is_crc_32c(self) -> None:
        # RFC 3720, B.4: 32 bytes of zeros have 0x8a9136aa.
        crc = 0x8A9136AA
        masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        self.assertEqual(tensorboard_files.masked_crc32c(bytes(32)), masked)


if __name__ == "__main__":
    absltest.main()
