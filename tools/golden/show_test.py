"""Tests for how a golden reads."""

from absl.testing import absltest

from regress.golden import golden_pb2
from tools.golden import show


class RenderTest(absltest.TestCase):
    def test_says_which_iterations_an_imported_one_has(self) -> None:
        golden = golden_pb2.Golden(
            case_name="bert",
            channel="dev",
            hardware="nvidia_h100",
            iterations=100,
            series=[
                golden_pb2.Series(
                    metric="lm loss",
                    ranks=[7],
                    first_iteration=51,
                    values=[9.5] * 49 + [8.25],
                ),
                golden_pb2.Series(
                    metric="iteration time",
                    ranks=[7],
                    iterations=[55, 60, 100],
                    values=[0.5, 0.25, 0.125],
                ),
            ],
        )
        golden.provenance.imported.source = "There."
        golden.provenance.imported.note = "So."
        golden.provenance.imported.averages["iteration_timing_avg"] = 0.25
        self.assertEqual(
            show.render(golden),
            """\
case                  bert
channel               dev
hardware              nvidia_h100
iterations            100
imported              There.
                      So.
iteration_timing_avg  0.25

metric          ranks      iterations  first   last
lm loss             7       51 to 100    9.5   8.25
iteration time      7  3 of 55 to 100    0.5  0.125

""",
        )


if __name__ == "__main__":
    absltest.main()
