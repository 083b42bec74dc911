"""Tests for finding the packages that a job has."""

import hashlib
import os
import pathlib
from unittest import mock

from absl.testing import absltest

from regress.run import packages


class PackagesTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        # The test runner's environment may set the variable.
        self.enter_context(mock.patch.dict(os.environ))
        os.environ.pop(packages.IMAGE_PYTHON, None)
        self.site = pathlib.Path(self.create_tempdir().full_path)
        self._install("torch", record="torch/__init__.py,sha256=abc,3\n")
        self._install("numpy", record=None)

    def _install(self, name: str, record: str | None) -> None:
        info = self.site / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.2\n")
        if record is not None:
            (info / "RECORD").write_text(record)

    def test_the_locks_packages_are_of_no_image(self) -> None:
        self.assertEqual(packages.image_python([str(self.site)]), "")

    def test_those_of_the_test_itself_are_the_locks(self) -> None:
        self.assertEqual(packages.image_python(), "")

    def test_linked_packages_name_their_python(self) -> None:
        (self.site / "image_python").write_text("/opt/venv/bin/python")
        self.assertEqual(
            packages.image_python([str(self.site)]), "/opt/venv/bin/python"
        )

    def test_a_bundle_names_its_python(self) -> None:
        os.environ[packages.IMAGE_PYTHON] = "/usr/bin/python3"
        self.assertEqual(
            packages.image_python([str(self.site)]), "/usr/bin/python3"
        )

    def test_digests_the_records_that_are_there(self) -> None:
        digest = hashlib.sha256(b"torch/__init__.py,sha256=abc,3\n").hexdigest()
        self.assertEqual(
            packages.record_digests([str(self.site)]), {"torch": digest}
        )

    def test_names_them_as_the_index_does(self) -> None:
        self._install("transformer_engine", record="a")
        found = packages.record_digests([str(self.site)])
        self.assertEqual(
            [*packages.of_computing(found)], ["torch", "transformer-engine"]
        )

    def test_another_file_is_another_digest(self) -> None:
        before = packages.record_digests([str(self.site)])
        (self.site / "torch-1.2.dist-info" / "RECORD").write_text(
            "torch/__init__.py,sha256=abd,3\n"
        )
        after = packages.record_digests([str(self.site)])
        self.assertNotEqual(before["torch"], after["torch"])

    def test_a_golden_keeps_those_that_compute(self) -> None:
        self.assertEqual(
            packages.of_computing({"torch": "a", "jinja2": "b"}),
            {"torch": "a"},
        )


if __name__ == "__main__":
    absltest.main()
