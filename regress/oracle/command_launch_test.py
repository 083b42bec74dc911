"""Tests for how a launch of a command is read from the record."""

from absl.testing import absltest

from regress.oracle import command_launch
from regress.oracle import command_record_test_helper as helper
from regress.run import run_pb2


def _read(attempt: run_pb2.Attempt) -> command_launch.Launch:
    return command_launch.read(attempt, {})


class CommandLaunchTest(absltest.TestCase):
    def test_an_empty_record_says_nothing(self) -> None:
        launch = _read(run_pb2.Attempt())
        self.assertEqual(launch.last, 0)
        self.assertEmpty(launch.metrics)
        self.assertFalse(launch.ended_well)
        self.assertEqual(launch.end, run_pb2.CommandEnd())

    def test_reads_how_the_command_ended(self) -> None:
        attempt = helper.attempt(0, helper.LOSSES)
        end = run_pb2.CommandEnd(lines=7, last_line="done")
        attempt.ranks[0].events.add(command_end=end)
        launch = _read(attempt)
        self.assertEqual(launch.end, end)
        self.assertTrue(launch.ended_well)

    def test_tells_ranks_apart_that_lines_name(self) -> None:
        attempt = helper.attempt(0, helper.some(1))
        attempt.ranks[0].events.add(
            printed=run_pb2.Printed(iteration=1, rank=0, metrics={"loss": "5"})
        )
        self.assertEqual(
            _read(attempt).metrics,
            {
                command_launch.Key(1, None, "loss"): ["4.0"],
                command_launch.Key(1, 0, "loss"): ["5"],
            },
        )

    def test_ranks_tell_of_iterations_if_the_log_does_not(self) -> None:
        attempt = helper.attempt(0, {})
        for rank in range(2):
            attempt.observed.add(
                rank=rank,
                steps=[
                    run_pb2.ObservedStep(iteration=4),
                    run_pb2.ObservedStep(iteration=3),
                    # Another optimizer counts for itself.
                    run_pb2.ObservedStep(iteration=9, optimizer=1),
                ],
            )
        launch = _read(attempt)
        self.assertEqual(launch.iterations, [3, 4])
        self.assertEqual(launch.last, 4)
        self.assertEqual(
            launch.observed, {one.rank: one for one in attempt.observed}
        )

    def test_a_folder_counts_only_beside_another(self) -> None:
        number = run_pb2.Printed(iteration=1, metrics={"loss": "1"})
        for paths, names in (
            (["runs/1/a"], ["loss in TensorBoard"]),
            # Of one folder are all that have no other beside it.
            (["runs/1/a", "runs/1/b"], ["loss in TensorBoard"]),
            (
                ["runs/1/a", "runs/1/val/x/b"],
                ["loss in TensorBoard", "loss of val/x in TensorBoard"],
            ),
            (
                ["a", "val/b"],
                ["loss in TensorBoard", "loss of val in TensorBoard"],
            ),
        ):
            attempt = run_pb2.Attempt(
                event_files=[
                    run_pb2.EventFile(path=path, scalars=[number])
                    for path in paths
                ]
            )
            self.assertCountEqual(
                [key.name for key in _read(attempt).metrics], names
            )


if __name__ == "__main__":
    absltest.main()
