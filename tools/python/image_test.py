"""Tests for linking what another Python has."""

import importlib.metadata
import json
import pathlib
import subprocess
import sys

from absl.testing import absltest

from regress.run import packages
from tools.python import image


class ImageTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.site = self.folder / "image"

    def _distribution(
        self, name: str, files: list[str], needs: tuple[str, ...] = ()
    ) -> importlib.metadata.Distribution:
        info = self.site / f"{name}-1.2.dist-info"
        for file in files:
            path = self.site / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file)
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Name: {name}\nVersion: 1.2\nProvides-Extra: all\n"
            + "".join(f"Requires-Dist: {need}\n" for need in needs)
        )
        record = [*files, f"{info.name}/METADATA", "../../bin/program"]
        (info / "RECORD").write_text("".join(f"{r},,\n" for r in record))
        return importlib.metadata.PathDistribution(info)

    def _links(self) -> dict[str, str]:
        """Returns what is linked, and where to in the image."""
        site = self.folder / "site"
        return {
            str(path.relative_to(site)): str(
                path.readlink().relative_to(self.site)
            )
            for path in site.rglob("*")
            if path.is_symlink()
        }

    def test_links_a_package_whole(self) -> None:
        package = self._distribution(
            "one", ["one/__init__.py", "one/sub/__init__.py", "one/data.txt"]
        )
        image.link([package], self.folder / "site")
        self.assertEqual(
            self._links(),
            {"one": "one", "one-1.2.dist-info": "one-1.2.dist-info"},
        )

    def test_shares_a_folder_with_other_distributions(self) -> None:
        blas = self._distribution("blas", ["nvidia/cu13/lib/libblas.so.1"])
        self._distribution("fft", ["nvidia/cu13/lib/libfft.so.1"])
        image.link([blas], self.folder / "site")
        self.assertEqual(
            [*self._links()],
            ["blas-1.2.dist-info", "nvidia/cu13/lib/libblas.so.1"],
        )

    def test_links_a_package_that_distributions_share_once(self) -> None:
        files = [["te/lib/ext.so"], ["te/__init__.py"]]
        for number, order in enumerate((files, files[::-1])):
            distributions = [
                self._distribution(f"te{number}{i}", names)
                for i, names in enumerate(order)
            ]
            image.link(distributions, self.folder / f"site{number}")
            links = [
                path.name
                for path in (self.folder / f"site{number}").iterdir()
                if path.suffix != ".dist-info"
            ]
            self.assertEqual(links, ["te"])

    def test_its_digest_is_that_of_what_is_installed(self) -> None:
        package = self._distribution("one", ["one.py"])
        first = image.link([package], self.folder / "first")
        self.assertEqual(image.link([package], self.folder / "again"), first)
        record = self.site / "one-1.2.dist-info/RECORD"
        record.write_text(record.read_text().replace("one.py,", "one.py,x"))
        self.assertNotEqual(
            image.link([package], self.folder / "changed"), first
        )

    def test_adds_what_no_repository_has(self) -> None:
        package = self._distribution(
            "one",
            ["one.py"],
            needs=("two[fast]>=1", "pip", 'three; extra == "all"'),
        )
        found, needs = image.with_unlocked([package], ["two", "three"])
        # pip is what the Python of this test has for sure.
        self.assertEqual([d.name.lower() for d in found], ["one", "pip"])
        self.assertEqual(needs, {"": ["two", "two[fast]"], "all": ["three"]})

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        keys = self.folder / "keys.json"
        keys.write_text(json.dumps([]))
        return subprocess.run(
            [
                *(sys.executable, image.__file__),
                *(arguments[0], str(keys), *arguments[1:]),
            ],
            check=False,
            capture_output=True,
            cwd=self.folder,
            text=True,
        )

    def test_says_that_there_is_no_such_distribution(self) -> None:
        version = "{}.{}".format(*sys.version_info[:2])
        result = self._run(version, "no-such-distribution")
        self.assertEqual(result.returncode, image.MISSING, result.stderr)

    def test_says_beside_a_package_whose_it_is(self) -> None:
        version = "{}.{}".format(*sys.version_info[:2])
        # pip is what the Python of this test has for sure.
        result = self._run(version, "pip")
        self.assertEqual(result.returncode, 0, result.stderr)
        origin = self.folder / "site-packages" / packages.ORIGIN
        self.assertEqual(origin.read_text(), sys.executable)

    def test_refuses_another_python(self) -> None:
        result = self._run("3.1", "pip")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "toolchain's is 3.1: set REGRESS_PYT")


if __name__ == "__main__":
    absltest.main()
