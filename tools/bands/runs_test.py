"""Tests for the runs that bands are derived from."""

import pathlib

from absl.testing import absltest

from regress.case import case_pb2, case_test_helper, fingerprint
from regress.golden import errors
from regress.run import run_pb2
from tools.bands import runs, variations


def _longer(case: case_pb2.Case) -> None:
    case.training.iterations += 1


_ONE = variations.Variation("one, of two")
_TWO = variations.Variation("two", case=_longer)


class GatherTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        case = case_test_helper.valid_case()
        self.case = self.folder / f"{case.name}.textproto"
        self.case.write_text(str(case))
        self.trained: list[str] = []

    def train(
        self, variation: variations.Variation, path: pathlib.Path
    ) -> bool:
        case = case_test_helper.valid_case()
        variation.case(case)
        step = run_pb2.StepMetrics(iteration=1, lm_loss=4.0)
        record = run_pb2.RunRecord(
            case_fingerprint=fingerprint.fingerprint(case),
            attempts=[
                run_pb2.Attempt(
                    ranks=[
                        run_pb2.RankRecord(
                            rank=3, events=[run_pb2.Event(step=step)]
                        )
                    ]
                )
            ],
        )
        path.write_bytes(record.SerializeToString())
        self.trained.append(variation.name)
        return True

    def gather(self, train: runs.Train) -> list[str]:
        return [
            f"{one.name} on {one.hardware}: {len(one.trajectories)}"
            for one in runs.gather(
                (_ONE, _TWO), self.case, "nvidia_h200", self.folder, train, 1
            )
        ]

    def test_trains_each_and_reads_it(self) -> None:
        found = self.gather(self.train)
        self.assertEqual(self.trained, ["one, of two", "two"])
        self.assertLen(found, 2)
        self.assertStartsWith(found[0], "one, of two on nvidia_h200: ")
        self.assertNotEndsWith(found[0], ": 0")

    def test_does_not_train_again_what_is_there(self) -> None:
        first = self.gather(self.train)
        self.assertEqual(self.gather(self.train), first)
        self.assertLen(self.trained, 2)

    def test_keeps_the_others_if_one_fails(self) -> None:
        def fail_first(
            variation: variations.Variation, path: pathlib.Path
        ) -> bool:
            path.write_bytes(b"half a record")
            return variation is not _ONE and self.train(variation, path)

        with self.assertRaisesRegex(
            errors.GoldenError, '^variation "one, of two" could not be trained'
        ):
            self.gather(fail_first)
        self.gather(self.train)
        self.assertEqual(self.trained, ["two", "one, of two"])

    def test_refuses_a_record_of_another_case(self) -> None:
        self.gather(self.train)
        case = case_test_helper.valid_case()
        case.training.seed += 1
        self.case.write_text(str(case))
        with self.assertRaisesRegex(
            errors.GoldenError,
            "one_of_two.binpb is not of this case: expected fingerprint "
            "[0-9a-f]+, found [0-9a-f]+; remove it",
        ):
            self.gather(self.train)


class VariationsTest(absltest.TestCase):
    def test_each_has_a_name_and_a_file_of_its_own(self) -> None:
        self.assertLen(variations.BY_NAME, len(variations.VARIATIONS))
        files = {one.file_name for one in variations.VARIATIONS}
        self.assertLen(files, len(variations.VARIATIONS))


if __name__ == "__main__":
    absltest.main()
