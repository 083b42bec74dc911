"""Tests for how a rank ends that cannot train here."""

import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from regress.run import event_stream, exit_codes
from regress.trainer import backend, rank


class GiveUpTest(parameterized.TestCase):
    @parameterized.parameters(
        ("none", ["none"]), ("nvidia_l4", ["nvidia_l4"]), ("", [])
    )
    def test_the_hardware_found_is_an_event(
        self, hardware: str, events: list[str]
    ) -> None:
        # Its flags are required, also of a test's program.
        from regress.trainer import main

        folder = pathlib.Path(self.create_tempdir().full_path)
        flags = {
            "case": "regress/testdata/tiny.textproto",
            "rank": "0",
            "corpus": folder / "corpus",
            "checkpoints": folder / "checkpoints",
            "data_cache": folder / "cache",
            "events": folder / "events",
        }
        error = backend.BackendError("The GPU is another.", hardware)
        with mock.patch.object(rank.Rank, "run", side_effect=error):
            code = main.main([f"--{name}={flags[name]}" for name in flags])
        self.assertEqual(code, exit_codes.WRONG_ENVIRONMENT)
        written, torn = event_stream.read(folder / "events")
        self.assertFalse(torn)
        self.assertEqual(
            [
                event.hardware_found.hardware
                for event in written
                if event.HasField("hardware_found")
            ],
            events,
        )


if __name__ == "__main__":
    absltest.main()
