"""Tests for writing and reading event files."""

import io
import os
import pathlib
import signal
import subprocess
import sys
from unittest import mock

from absl.testing import absltest
from google.protobuf import proto

from regress.run import event_stream, run_pb2


def _events() -> list[run_pb2.Event]:
    """Returns an event of each kind; their sizes take 1, 2 and 3 bytes."""
    environment = run_pb2.Environment(versions={"torch": "2.13.0"})
    entries = [
        run_pb2.StateEntry(name="p" * 99, digest="d") for _ in range(200)
    ]
    return [
        run_pb2.Event(started=run_pb2.Started(pid=7, environment=environment)),
        run_pb2.Event(
            step=run_pb2.StepMetrics(
                iteration=1,
                lm_loss=-0.0,
                param_groups=[run_pb2.ParamGroup(name="g" * 150)],
            )
        ),
        run_pb2.Event(state=run_pb2.StateDigest(iteration=1, entries=entries)),
        run_pb2.Event(checkpoint=run_pb2.CheckpointEvent(iteration=1)),
        run_pb2.Event(printed=run_pb2.Printed(iteration=1)),
        run_pb2.Event(command_processes=run_pb2.CommandProcesses()),
        run_pb2.Event(command_end=run_pb2.CommandEnd(lines=1)),
        run_pb2.Event(span=run_pb2.Span(name="save", seconds=0.5)),
        run_pb2.Event(finished=run_pb2.Finished()),
        run_pb2.Event(settings_change=run_pb2.SettingsChange(iteration=1)),
        run_pb2.Event(data_index=run_pb2.DataIndex(split="train")),
        run_pb2.Event(
            hardware_found=run_pb2.HardwareFound(hardware="nvidia_l4")
        ),
    ]


def _record(event: run_pb2.Event) -> bytes:
    """Returns the event's record as written by protobuf itself."""
    stream = io.BytesIO()
    proto.serialize_length_prefixed(event, stream)
    return stream.getvalue()


class EventStreamTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir()) / "rank_0.events"

    def write(self, events: list[run_pb2.Event]) -> bytes:
        with event_stream.Writer(self.path) as writer:
            for event in events:
                writer.write(event)
        return self.path.read_bytes()

    def assert_damaged(self, content: bytes, where: int, found: str) -> None:
        self.path.write_bytes(content)
        with self.assertRaisesWithLiteralMatch(
            event_stream.EventStreamError,
            f"{self.path}: damaged at byte {where}: expected an event, found "
            f"{found}",
        ):
            event_stream.read(self.path)

    def test_reads_what_was_written(self) -> None:
        self.write(_events())
        self.assertEqual(event_stream.read(self.path), (_events(), False))

    def test_covers_every_kind_and_each_has_a_tag_of_one_byte(self) -> None:
        kinds = run_pb2.Event.DESCRIPTOR.oneofs_by_name["kind"].fields
        self.assertCountEqual(
            [event.WhichOneof("kind") for event in _events()],
            [kind.name for kind in kinds],
        )
        self.assertLess(max(kind.number for kind in kinds), 16)

    def test_an_event_holds_its_kind_and_nothing_else(self) -> None:
        kinds = run_pb2.Event.DESCRIPTOR.oneofs_by_name["kind"].fields
        self.assertCountEqual(kinds, run_pb2.Event.DESCRIPTOR.fields)

    def test_format_is_protobufs_delimited_one(self) -> None:
        content = self.write(_events())
        self.assertEqual(content, b"".join(map(_record, _events())))

    def test_appends_to_an_existing_file(self) -> None:
        self.write(_events()[:2])
        self.write(_events()[2:])
        self.assertEqual(event_stream.read(self.path), (_events(), False))

    def test_empty_file_holds_no_event_and_is_not_torn(self) -> None:
        self.path.touch()
        self.assertEqual(event_stream.read(self.path), ([], False))

    def test_every_cut_leaves_the_whole_records(self) -> None:
        events = _events()
        content = self.write(events)
        ends = [0]
        for event in events:
            ends.append(ends[-1] + len(_record(event)))
        self.assertEqual(ends[-1], len(content))
        # Cutting the long record at every byte would take too long.
        boring = range(ends[2] + 50, ends[3] - 50)
        for cut in range(len(content)):
            if cut in boring:
                continue
            self.path.write_bytes(content[:cut])
            whole = sum(end <= cut for end in ends) - 1
            found, torn = event_stream.read(self.path)
            self.assertEqual(found, events[:whole], f"cut at {cut}")
            self.assertEqual(torn, cut not in ends, f"cut at {cut}")

    def test_reader_yields_the_whole_records_before_it_is_torn(self) -> None:
        content = self.write(_events())
        self.path.write_bytes(content[:-1])
        reader = event_stream.Reader(self.path)
        for event, expected in zip(reader, _events(), strict=False):
            self.assertEqual(event, expected)
            self.assertFalse(reader.torn)
        self.assertTrue(reader.torn)
        self.path.write_bytes(content)
        self.assertLen(list(reader), len(_events()))
        self.assertFalse(reader.torn)

    def test_reader_opens_lazily_and_reads_one_at_a_time(self) -> None:
        damage = b"\x00"
        self.path.write_bytes(_record(_events()[0]) + damage)
        events = iter(event_stream.Reader(self.path))
        self.assertEqual(next(events), _events()[0])
        with self.assertRaises(event_stream.EventStreamError):
            next(events)

    def test_an_event_is_in_the_file_before_a_kill(self) -> None:
        program = (
            "import os, sys\n"
            "from regress.run import event_stream, run_pb2\n"
            "writer = event_stream.Writer(sys.argv[1])\n"
            "span = run_pb2.Span(name='build')\n"
            "writer.write(run_pb2.Event(span=span))\n"
            f"os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
        )
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        killed = subprocess.run(
            [sys.executable, "-c", program, self.path], env=environment
        )
        self.assertEqual(killed.returncode, -signal.SIGKILL)
        (event,), torn = event_stream.read(self.path)
        self.assertEqual(event.span.name, "build")
        self.assertFalse(torn)

    def test_writes_an_event_by_one_write(self) -> None:
        writes = []
        write = os.write

        def count(fd: int, data: bytes) -> int:
            writes.append(data)
            return write(fd, data)

        with mock.patch.object(os, "write", count):
            self.write(_events())
        self.assertEqual(writes, [_record(event) for event in _events()])

    def test_an_iteration_that_no_case_can_have_is_damage(self) -> None:
        first = self.write([_events()[1]])
        for kind in ("step", "state", "checkpoint", "finished"):
            for iteration in (-1, 1_000_001, 2**31 - 1):
                event = run_pb2.Event()
                getattr(event, kind).iteration = iteration
                self.path.write_bytes(first + _record(event))
                with self.assertRaisesWithLiteralMatch(
                    event_stream.EventStreamError,
                    f"{self.path}: damaged at byte {len(first)}: expected an "
                    "event of an iteration from 0 to 1000000, found one of "
                    f"iteration {iteration}",
                ):
                    event_stream.read(self.path)

    def test_damaged_size_in_the_middle(self) -> None:
        content = self.write(_events())
        first = len(_record(_events()[0]))
        # Change the first of the 2 bytes of the second record's size.
        for size in (b"\xff\x7f", b"\x02\x00", b"\xff\xff\xff\x1f"):
            damaged = content[:first] + size + content[first + 2 :]
            self.path.write_bytes(damaged)
            with (
                self.subTest(size),
                self.assertRaisesRegex(
                    event_stream.EventStreamError,
                    rf"damaged at byte {first}: expected an event, found ",
                ),
            ):
                event_stream.read(self.path)

    def test_every_change_of_a_size_is_noticed(self) -> None:
        step = _record(_events()[3])
        for size in range(256):
            if size == step[0]:
                continue
            self.path.write_bytes(bytes([size]) + step[1:] + step)
            with (
                self.subTest(size),
                self.assertRaises(event_stream.EventStreamError),
            ):
                event_stream.read(self.path)

    def test_names_the_damage(self) -> None:
        whole = _record(_events()[3])
        self.assertEqual(whole, b"\x04\x22\x02\x10\x01")
        largest = event_stream.MAX_EVENT_BYTES
        for content, found in (
            (b"\x00", "a size of 0"),
            (b"\x01\x22", "a size of 1"),
            (b"\x00" * 4096, "a size of 0"),
            (b"\x81\x80\x80\x20\x22", f"a size of {largest + 1}"),
            (b"\x80\x80\x80\x80\x80\x80", "a size without an end"),
            (b"\x04\x09\x02\x10\x01", "the tag 9"),
            (b"\x04\x7a\x02\x10\x01", "the tag 122"),
            (b"\x04\x23", "the tag 35"),
            (b"\x05\x22\x02\x10\x01", "sizes that disagree, 5 and 2"),
            (b"\x7f\x22\x02\x10\x01", "sizes that disagree, 127 and 2"),
            (b"\x03\x22\x01\x10", "3 bytes that do not parse"),
        ):
            with self.subTest(found):
                self.assert_damaged(content, 0, found)
                self.assert_damaged(whole + content, len(whole), found)

    def test_missing_file_is_one_sentence(self) -> None:
        with self.assertRaisesWithLiteralMatch(
            event_stream.EventStreamError,
            f"{self.path}: cannot read events: No such file or directory",
        ):
            event_stream.read(self.path)

    def test_a_pipe_is_one_sentence(self) -> None:
        os.mkfifo(self.path)
        with self.assertRaisesWithLiteralMatch(
            event_stream.EventStreamError,
            f"{self.path}: cannot read events: Not a regular file",
        ):
            event_stream.read(self.path)

    def test_writer_in_a_missing_directory_is_one_sentence(self) -> None:
        path = self.path / "missing"
        with self.assertRaisesWithLiteralMatch(
            event_stream.EventStreamError,
            f"{path}: cannot append events: No such file or directory",
        ):
            event_stream.Writer(path)

    def test_full_disk_is_one_sentence(self) -> None:
        with (
            event_stream.Writer("/dev/full") as writer,
            self.assertRaisesWithLiteralMatch(
                event_stream.EventStreamError,
                "/dev/full: cannot append an event: No space left on device",
            ),
        ):
            writer.write(_events()[0])

    def test_short_write_is_one_sentence(self) -> None:
        record = _record(_events()[3])
        with (
            mock.patch.object(os, "write", return_value=2),
            self.assertRaisesWithLiteralMatch(
                event_stream.EventStreamError,
                f"{self.path}: the file took 2 of an event's {len(record)} "
                "bytes",
            ),
        ):
            self.write([_events()[3]])

    def test_refuses_an_event_that_no_reader_takes(self) -> None:
        with self.assertRaisesWithLiteralMatch(
            event_stream.EventStreamError,
            f"{self.path}: cannot append an event without a kind",
        ):
            self.write([run_pb2.Event()])
        span = run_pb2.Span(name="x" * event_stream.MAX_EVENT_BYTES)
        with self.assertRaisesRegex(
            event_stream.EventStreamError, "cannot append an event of 671088"
        ):
            self.write([run_pb2.Event(span=span)])
        self.assertEqual(self.path.read_bytes(), b"")


if __name__ == "__main__":
    absltest.main()
