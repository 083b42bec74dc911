"""Tests for the paths of goldens."""

import pathlib

from absl.testing import absltest, parameterized

from regress.golden import errors, selection_key


class SelectionTest(parameterized.TestCase):
    @parameterized.parameters(
        ("dev", "none", "testdata/golden/gpt/dev_none.textproto"),
        ("lts", "nvidia_h200", "testdata/golden/gpt/lts_nvidia_h200.textproto"),
        ("dev", "any", "testdata/golden/gpt/dev_any.textproto"),
        ("core_0_16", "none", "testdata/golden/gpt/core_0_16_none.textproto"),
    )
    def test_path_and_back(
        self, channel: str, hardware: str, path: str
    ) -> None:
        selected = selection_key.Selection("gpt", channel, hardware)
        self.assertEqual(str(selection_key.path_of(selected)), path)
        self.assertEqual(selection_key.selection_of(path), selected)
        self.assertEqual(
            selection_key.selection_of(f"/anywhere/{path}"), selected
        )

    @parameterized.parameters(
        "dev_none.textproto",
        "gpt/none.textproto",
        "gpt/_none.textproto",
        "gpt/Nightly_none.textproto",
        "gpt/dev_.textproto",
        "gpt/dev_H100.textproto",
        "gpt/dev_none.json",
        "",
    )
    def test_refuses_other_paths(self, path: str) -> None:
        with self.assertRaisesRegex(
            errors.GoldenError,
            f"^{pathlib.PurePath(path)}: not the path of a golden, expected "
            "testdata/golden/<case>/<channel>_<hardware>.textproto$",
        ):
            selection_key.selection_of(path)

    @parameterized.parameters("", "../x", "Nightly")
    def test_refuses_what_is_no_channel(self, channel: str) -> None:
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            f'"{channel}" is not a channel name, expected one such as dev or '
            "lts",
        ):
            selection_key.path_of(
                selection_key.Selection("gpt", channel, "none")
            )

    @parameterized.parameters("", "../x", "H100", "a b", "h100")
    def test_refuses_what_is_no_hardware(self, hardware: str) -> None:
        with self.assertRaisesWithLiteralMatch(
            errors.GoldenError,
            f'"{hardware}" is not a hardware name, expected one such as none, '
            "nvidia_h200 or any",
        ):
            selection_key.path_of(
                selection_key.Selection("gpt", "dev", hardware)
            )

    def test_lists_what_exists(self) -> None:
        folder = pathlib.Path(self.create_tempdir())
        wanted = [
            selection_key.Selection("a", "dev", "nvidia_h200"),
            selection_key.Selection("a", "lts", "none"),
            selection_key.Selection("b", "dev", "none"),
        ]
        for selected in reversed(wanted):
            path = folder.joinpath(*selection_key.path_of(selected).parts[-2:])
            path.parent.mkdir(exist_ok=True)
            path.touch()
        (folder / "a" / "notes.textproto").touch()
        (folder / "BUILD.bazel").touch()
        self.assertEqual(selection_key.existing(folder), wanted)

    def test_lists_nothing_in_a_missing_folder(self) -> None:
        folder = pathlib.Path(self.create_tempdir()) / "missing"
        self.assertEqual(selection_key.existing(folder), [])


if __name__ == "__main__":
    absltest.main()
