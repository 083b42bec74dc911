"""Verifies every golden that is committed, and tests the verification."""

import pathlib
import shutil
from collections.abc import Callable

from absl.testing import absltest, parameterized

from regress.golden import files, golden_pb2
from tools.golden import verify

_TINY = pathlib.Path("regress/testdata/tiny/dev_none.textproto")
_OTHERS = (
    _TINY,
    pathlib.Path("regress/testdata/tiny/lts_none.textproto"),
    pathlib.Path(
        "regress/testing/faults/testdata/catalogue/dev_none.textproto"
    ),
)
_FOLDER = pathlib.Path("testdata/golden")
# It was imported, and has the first iteration and every fifth.
_EVERY_FIFTH = _FOLDER / (
    "gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_upstream/"
    "dev_nvidia_a100.textproto"
)


def _set(path: str, value: object) -> Callable[[golden_pb2.Golden], None]:
    """Sets a field of a golden, by its path."""

    def change(golden: golden_pb2.Golden) -> None:
        *owners, field = path.split(".")
        owner = golden
        for name in owners:
            owner = getattr(owner, name)
        setattr(owner, field, value)

    return change


def _drop_version(golden: golden_pb2.Golden) -> None:
    del golden.provenance.environment.versions["torch"]


def _drop_settings(golden: golden_pb2.Golden) -> None:
    golden.provenance.environment.settings.clear()


def _change_case(golden: golden_pb2.Golden) -> None:
    golden.provenance.case_fingerprint = "f"
    golden.provenance.case.training.seed = 9


def _drop_metric(golden: golden_pb2.Golden) -> None:
    golden.series.pop()


def _drop_checkpoint(golden: golden_pb2.Golden) -> None:
    golden.checkpoints.pop()


def _replace_without_reason(golden: golden_pb2.Golden) -> None:
    golden.history.add(date="2026-11-23", predecessor_digest="a" * 64)


def _replace_without_predecessor(golden: golden_pb2.Golden) -> None:
    golden.history.add(date="2026-11-23", reason="so")


def _replace_without_date(golden: golden_pb2.Golden) -> None:
    golden.history.add(reason="so", predecessor_digest="a" * 64)


class CommittedTest(absltest.TestCase):
    def test_every_committed_golden_is_fit(self) -> None:
        paths = sorted(_FOLDER.glob("*/*"))
        self.assertNotEmpty(paths)
        for path in [*paths, *_OTHERS]:
            with self.subTest(str(path)):
                self.assertEmpty(verify.problems(path))


class ProblemsTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        root = pathlib.Path(self.create_tempdir().full_path)
        self.path = root / "tiny/dev_none.textproto"
        self.path.parent.mkdir()
        self.case = root / "tiny.textproto"
        shutil.copyfile("regress/testdata/tiny.textproto", self.case)
        golden = files.read(_TINY)
        # This golden has replaced others.
        golden.ClearField("history")
        files.write(golden, self.path)

    def assert_found(self, *patterns: str) -> None:
        found = verify.problems(self.path)
        self.assertLen(found, len(patterns), found)
        for pattern, problem in zip(patterns, found, strict=True):
            self.assertRegex(problem, pattern)

    @parameterized.parameters(
        (_set("case_name", "small"), "it is of case small, .* says tiny"),
        (_set("channel", "lts"), "it is of channel lts, .* says dev"),
        (_set("provenance.case_fingerprint", "f"), "stale: .* fingerprint f,"),
        (
            _change_case,
            "stale: training.seed of the case was .* when it was recorded",
        ),
        (_set("provenance.corpus_digest", ""), "no digest of the corpus"),
        (_set("provenance.repeats", 1), "expected 2 or more that agree"),
        (
            _set("provenance.interrupted_repeats", 3),
            "expected 1 or more, found 0 of 3",
        ),
        (_set("provenance.date", "yesterday"), 'has the date "yesterday"'),
        (_set("provenance.environment.device_name", ""), "names no device"),
        (
            _set("provenance.environment.hardware", "nvidia_h200"),
            "was recorded on nvidia_h200",
        ),
        (_drop_version, "no version of torch"),
        (_drop_settings, "no setting"),
        (_drop_checkpoint, "^.*checkpoints of the golden: expected"),
        (_replace_without_reason, "replacement 1 of its history has no reason"),
        (_replace_without_predecessor, "does not name what it replaced"),
        (_replace_without_date, 'has the date ""'),
    )
    def test_finds(
        self, change: Callable[[golden_pb2.Golden], None], pattern: str
    ) -> None:
        golden = files.read(self.path)
        change(golden)
        files.write(golden, self.path)
        self.assert_found(pattern)

    def test_finds_a_metric_that_is_not_there(self) -> None:
        golden = files.read(self.path)
        _drop_metric(golden)
        files.write(golden, self.path)
        self.assert_found(*["params norm.*: expected a series, .*no"] * 4)

    def test_finds_a_nan(self) -> None:
        text = self.path.read_text().replace("3.85", "nan, 3.85", 1)
        self.path.write_text(text)
        self.assert_found("incomplete golden|not a golden")

    def test_finds_an_edit_by_hand(self) -> None:
        self.path.write_text(f"# Fixed.\n{self.path.read_text()}")
        self.assert_found("edited by hand")

    def test_finds_a_case_that_has_changed(self) -> None:
        text = self.case.read_text().replace("seed: 1234", "seed: 1235")
        self.case.write_text(text)
        self.assert_found("stale: ")

    def test_finds_that_the_case_is_gone(self) -> None:
        self.case.unlink()
        self.assert_found("its case cannot be read: .* no such case")

    def test_one_for_any_hardware_was_recorded_on_a_gpu(self) -> None:
        name = "gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr"
        folder = self.path.parent.with_name(name)
        folder.mkdir()
        self.path = folder / "dev_any.textproto"
        shutil.copyfile(
            f"testdata/cases/{name}.textproto", f"{folder}.textproto"
        )
        golden = files.read(_FOLDER / name / "dev_any.textproto")
        files.write(golden, self.path)
        self.assert_found()
        golden.provenance.environment.hardware = "none"
        files.write(golden, self.path)
        self.assert_found("it is of hardware any, and was recorded on none")

    def test_of_an_imported_one_the_source_counts(self) -> None:
        golden = files.read(self.path)
        golden.ClearField("provenance")
        golden.provenance.imported.source = "there"
        files.write(golden, self.path)
        self.assert_found("or how it was made", "by its SHA-256")

    def test_an_imported_one_has_the_values_of_its_file(self) -> None:
        path = self.path.with_name("dev_nvidia_a100.textproto")
        shutil.copyfile(_EVERY_FIFTH, path)
        golden = files.read(path)
        golden.case_name = "tiny"
        self.path = path
        files.write(golden, path)
        self.assert_found()
        value = golden.series[0].values[3]
        golden.series[0].values[3] = value + 1e-5
        files.write(golden, path)
        self.assert_found("exporting it gives another file")
        golden.series[0].values[3] = value
        golden.series[0].iterations[3] += 1
        files.write(golden, path)
        self.assert_found("exporting it gives another file")
        text = path.read_text()
        self.assertIn("step_interval: 5", text)
        path.write_text(text.replace("step_interval: 5", "step_interval: 0"))
        self.assert_found("the block of lm loss has steps from 1 to 100 by 0")


if __name__ == "__main__":
    absltest.main()
