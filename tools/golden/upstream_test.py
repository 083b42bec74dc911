"""Tests for the golden values that Megatron-LM keeps, and of their files."""

import hashlib
import pathlib

from absl.testing import absltest

from regress.golden import errors, files, golden_pb2
from tools.golden import upstream, upstream_export

_FOLDER = pathlib.Path(
    "testdata/golden/"
    "gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_upstream"
)

_TEXT = (
    '{"lm loss": {"start_step": 1, "end_step": 1, "step_interval": 1, '
    '"values": {"1": 10.5}}}\n'
)


class UpstreamTest(absltest.TestCase):
    def test_every_committed_one_gives_back_every_byte(self) -> None:
        paths = sorted(_FOLDER.glob("*.textproto"))
        self.assertLen(paths, 4)
        for path in paths:
            with self.subTest(path.name):
                golden = files.read(path)
                text = upstream_export.to_text(golden)
                # The golden has the digest of the file that was imported.
                self.assertEqual(
                    hashlib.sha256(text.encode()).hexdigest(),
                    golden.provenance.imported.source_digest,
                )


class ReadTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = pathlib.Path(self.create_tempdir().full_path, "values.json")

    def read(self) -> golden_pb2.Golden:
        return upstream.read(
            self.path,
            case_name="gpt",
            channel="lts",
            hardware="any",
            source="there",
            note="so",
            logging_rank=15,
        )

    def test_keeps_what_the_user_says(self) -> None:
        self.path.write_text(_TEXT)
        golden = self.read()
        self.assertEqual(golden.case_name, "gpt")
        self.assertEqual(golden.channel, "lts")
        self.assertEqual(golden.hardware, "any")
        self.assertEqual(golden.provenance.imported.source, "there")
        self.assertEqual(golden.provenance.imported.note, "so")
        self.assertEqual(list(golden.series[0].ranks), [15])

    def test_names_the_file_by_the_digest_of_its_bytes(self) -> None:
        self.path.write_text(_TEXT)
        self.assertEqual(
            self.read().provenance.imported.source_digest,
            hashlib.sha256(self.path.read_bytes()).hexdigest(),
        )

    def test_a_refusal_names_the_file(self) -> None:
        self.path.write_text(_TEXT.replace("10.5", '"x"'))
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            f'{self.path}: not imported: lm loss, step 1: the value is "x", '
            'expected a float, or "nan" where there is none',
        ):
            self.read()

    def test_other_ends_of_lines_are_seen(self) -> None:
        self.path.write_bytes(_TEXT.replace("\n", "\r\n").encode())
        with self.assertRaisesRegex(errors.GoldenError, "exporting would"):
            self.read()

    def test_says_that_a_file_cannot_be_read(self) -> None:
        for make in (lambda: None, lambda: self.path.write_bytes(b"\xff")):
            make()
            with self.assertRaisesRegex(
                errors.GoldenError, "values.json: cannot read golden values: "
            ):
                self.read()


if __name__ == "__main__":
    absltest.main()
