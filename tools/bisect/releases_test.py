"""Tests for reading and choosing releases."""

import platform
import sys
from collections.abc import Mapping
from typing import Any

from absl.testing import absltest, parameterized

from tools.bisect import errors, releases

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_HERE = f"cp{sys.version_info.major}{sys.version_info.minor}"


def _file(
    version: str, tag: str = "py3-none-any", **fields: Any
) -> Mapping[str, Any]:
    return {
        "filename": f"foo-{version}-{tag}.whl",
        "upload-time": "2026-01-31T10:42:08.338486Z",
        "yanked": False,
        **fields,
    }


def _parse(*files: Mapping[str, Any]) -> dict[str, str]:
    """Returns why each version cannot run."""
    return {str(one.version): one.why_not for one in releases.parse(files)}


class ParseTest(parameterized.TestCase):
    def test_in_the_order_of_versions(self) -> None:
        found = _parse(*map(_file, ("0.9.0", "0.10.0", "0.10.0rc1", "0.9.1")))
        self.assertEqual(list(found), ["0.9.0", "0.9.1", "0.10.0rc1", "0.10.0"])

    def test_the_date_is_of_the_first_file(self) -> None:
        (release,) = releases.parse(
            [
                _file("1.0", **{"upload-time": "2026-02-01T00:00:00Z"}),
                _file("1.0", tag=f"{_HERE}-none-any"),
            ]
        )
        self.assertEqual(release.uploaded, "2026-01-31")

    def test_an_index_may_have_no_dates(self) -> None:
        file = {"filename": "foo-1.0-py3-none-any.whl"}
        (release,) = releases.parse([file])
        self.assertEqual((release.uploaded, release.why_not), ("", ""))

    @parameterized.parameters(
        ([_file("1.0", yanked=True)], "all its files yanked"),
        ([_file("1.0", yanked="wrong")], "all its files yanked: wrong"),
        ([_file("1.0", yanked=True), _file("1.0", f"{_HERE}-none-any")], ""),
        ([_file("1.0", f"{_HERE}-none-any")], ""),
        (
            [_file("1.0", "py2-none-any"), _file("1.0", yanked=True)],
            f"no wheel for Python {_PYTHON} on {platform.machine()}",
        ),
        ([{"filename": "foo-1.0.tar.gz"}], "no wheel, only the source"),
    )
    def test_says_why_a_release_cannot_run(
        self, files: list[Mapping[str, Any]], why_not: str
    ) -> None:
        self.assertEqual(_parse(*files), {"1.0": why_not})

    @parameterized.parameters(
        [_file("1.0", "cp27-none-any")],
        [_file("1.0", f"{_HERE}-{_HERE}-win_amd64")],
        [_file("1.0", **{"requires-python": "<3"})],
    )
    def test_another_pythons_wheel_does_not_serve(
        self, file: Mapping[str, Any]
    ) -> None:
        self.assertStartsWith(_parse(file)["1.0"], "no wheel for Python 3.")

    def test_leaves_out_what_has_no_version(self) -> None:
        self.assertEmpty(_parse({"filename": "foo.exe"}))


class BetweenTest(parameterized.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.releases = releases.parse(
            [
                _file("1.0"),
                _file("1.1", "cp27-none-any"),
                _file("1.2"),
                _file("1.3rc1"),
                _file("1.3rc2"),
                _file("1.10"),
                _file("2.0"),
            ]
        )

    def between(self, first: str, last: str) -> tuple[list[str], int]:
        found, left_out = releases.between(self.releases, first, last)
        return [str(one.version) for one in found], left_out

    def test_takes_both_ends_and_leaves_out_pre_releases(self) -> None:
        self.assertEqual(
            self.between("1.0", "1.10"), (["1.0", "1.1", "1.2", "1.10"], 2)
        )
        self.assertEqual(self.between("1.2", "1.2"), (["1.2"], 0))

    def test_takes_a_pre_release_that_is_named(self) -> None:
        self.assertEqual(
            self.between("1.3rc1", "1.10"), (["1.3rc1", "1.10"], 1)
        )

    @parameterized.parameters(
        (
            ("1.2.5", "2.0"),
            "--from=1.2.5: expected a release that is on the package index, "
            "found none of this version: take one of its neighbors, 1.0, 1.2, "
            "1.10.",
        ),
        (
            ("1.0", "3.0"),
            "--to=3.0: expected a release that is on the package index, found "
            "none of this version: take one of its neighbors, ",
        ),
        (
            ("2.0", "1.10"),
            "--from=2.0 --to=1.10: expected the older release first, found "
            "1.10 to be older: run it with --from=1.10 --to=2.0.",
        ),
        (
            ("new", "2.0"),
            "--from=new: expected a release, as 0.19.2, found no version.",
        ),
        (
            ("1.1", "2.0"),
            "--from=1.1: expected a release that can run here, found one with "
            "no wheel for Python 3.",
        ),
    )
    def test_says_what_is_wrong_with_an_end(
        self, ends: tuple[str, str], sentence: str
    ) -> None:
        with self.assertRaises(errors.BisectError) as raised:
            self.between(*ends)
        self.assertStartsWith(str(raised.exception), sentence)
        self.assertNotIn("\n", str(raised.exception))


if __name__ == "__main__":
    absltest.main()
