"""Tests for the quantities derived from a case."""

from absl.testing import absltest, parameterized

from regress.case import case_pb2, case_test_helper, derived


class DerivedTest(parameterized.TestCase):
    def test_chunks_per_rank(self) -> None:
        case = case_test_helper.valid_case()
        self.assertEqual(derived.chunks_per_rank(case), 24 // (4 * 2))

    def test_microbatches(self) -> None:
        case = case_test_helper.valid_case()
        self.assertEqual(derived.microbatches(case), 16 // 2)

    @parameterized.parameters(
        ("FORWARD", 19, 0),
        ("FORWARD", 20, 0),
        ("FORWARD", 21, 20),
        ("BACKWARD", 30, 20),
        ("BACKWARD", 40, 20),
        ("OPTIMIZER_STEP", 40, 20),
        ("OPTIMIZER_STEP", 41, 40),
        ("CHECKPOINT_WRITE", 20, 0),
        ("CHECKPOINT_WRITE", 40, 20),
        ("BETWEEN_STEPS", 19, 0),
        ("BETWEEN_STEPS", 20, 20),
        ("BETWEEN_STEPS", 39, 20),
        ("BETWEEN_STEPS", 40, 40),
    )
    def test_resume_iteration(
        self, phase: str, iteration: int, expected: int
    ) -> None:
        case = case_pb2.Case(
            training=case_pb2.Training(save_interval=20),
            interruption=[
                case_pb2.Interruption(iteration=iteration, phase=phase)
            ],
        )
        self.assertEqual(derived.resume_iterations(case), [0, expected])

    def test_a_graceful_stop_saves_where_it_stops(self) -> None:
        case = case_pb2.Case(
            training=case_pb2.Training(save_interval=20),
            interruption=[
                case_pb2.Interruption(
                    iteration=33, phase="FORWARD", graceful=True
                )
            ],
        )
        self.assertEqual(derived.resume_iterations(case), [0, 33])

    def test_an_attempt_that_saves_nothing_leaves_what_it_loaded(self) -> None:
        case = case_pb2.Case(
            training=case_pb2.Training(save_interval=20),
            interruption=[
                case_pb2.Interruption(iteration=45, phase="FORWARD"),
                case_pb2.Interruption(iteration=42, phase="FORWARD"),
                case_pb2.Interruption(iteration=61, phase="FORWARD"),
            ],
        )
        self.assertEqual(derived.resume_iterations(case), [0, 40, 40, 60])

    @parameterized.parameters(
        (0, 50, [20, 40, 50]),
        (0, 49, [20, 40]),
        (40, 50, [50]),
        (50, 50, []),
        (33, 45, [40]),
    )
    def test_saves_every_interval_and_at_the_end(
        self, after: int, last: int, expected: list[int]
    ) -> None:
        case = case_pb2.Case(
            training=case_pb2.Training(save_interval=20, iterations=50)
        )
        self.assertEqual(derived.save_iterations(case, after, last), expected)
        self.assertEqual(
            [
                iteration
                for iteration in range(after + 1, last + 1)
                if derived.is_saved_after(case, iteration)
            ],
            expected,
        )


if __name__ == "__main__":
    absltest.main()
