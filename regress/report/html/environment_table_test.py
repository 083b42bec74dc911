"""Tests for the table of environments."""

from absl.testing import absltest

from regress.report.html import environment_table
from regress.run import run_pb2


class OfTest(absltest.TestCase):
    def test_differences_come_first(self) -> None:
        table = environment_table.build(
            [
                (
                    "run",
                    run_pb2.Environment(
                        hardware="none",
                        versions={"torch": "2", "numpy": "1"},
                    ),
                ),
                (
                    "golden",
                    run_pb2.Environment(
                        hardware="none",
                        versions={"numpy": "2"},
                        settings={"A": "b"},
                    ),
                ),
            ]
        )
        assert table is not None
        self.assertEqual(table.columns, ("run", "golden"))
        self.assertEqual(
            {row.name: row.values for row in table.rows if row.differs},
            {
                "torch": ("2", "absent"),
                "numpy": ("1", "2"),
                "A": ("absent", "b"),
            },
        )
        self.assertEqual(
            [row.differs for row in table.rows],
            sorted((row.differs for row in table.rows), reverse=True),
        )
        self.assertIn(
            environment_table.Row("hardware", ("none", "none"), False),
            table.rows,
        )

    def test_a_setting_that_the_golden_lacks_is_no_difference(self) -> None:
        run = run_pb2.Environment(settings={"A": "b", "flush denormals": "off"})
        golden = run_pb2.Environment(settings={"A": "b"})
        table = environment_table.build([("run", run), ("golden", golden)])
        assert table is not None
        self.assertIn(
            environment_table.Row("flush denormals", ("off", "absent"), False),
            table.rows,
        )

    def test_who_has_none_has_no_column(self) -> None:
        empty = run_pb2.Environment()
        self.assertIsNone(environment_table.build([("run", empty)]))
        table = environment_table.build(
            [("run", empty), ("golden", run_pb2.Environment(hardware="none"))]
        )
        assert table is not None
        self.assertEqual(table.columns, ("golden",))


if __name__ == "__main__":
    absltest.main()
