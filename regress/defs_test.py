"""Tests for what resume_test() makes of its parameters."""

import json
import pathlib
import re
from typing import ClassVar

from absl.testing import absltest

_FILE = "regress/resume_test_attributes.json"


class ResumeTestTest(absltest.TestCase):
    rules: ClassVar[dict[str, dict[str, str]]]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.rules = json.loads(pathlib.Path(_FILE).read_text(encoding="utf-8"))

    def test_the_test_and_its_record_start_the_same_job(self) -> None:
        for name in ("parameters_test", "parameters_test.record"):
            with self.subTest(name):
                args = self.rules[name]["args"]
                for flag in (
                    "--launcher=exec",
                    "--trainer=pkg.trainer",
                    "--trainer_flag=--width=7",
                    "--trainer_flag=--deep",
                ):
                    self.assertIn(f'"{flag}"', args)
                self.assertNotIn("zygote", args)
                self.assertEqual(self.rules[name]["env"], '{"COLOR": "red"}')
        # It has no environment of its own.
        bundle = self.rules["parameters_test.bundle"]["arguments"]
        self.assertIn('"--launcher=exec"', bundle)
        self.assertIn('"--trainer_flag=--deep"', bundle)

    def test_the_launcher_is_what_the_hardware_allows(self) -> None:
        for name, launcher in (
            ("stock_grouping_test", "zygote"),
            ("stock_grouping_test.record", "zygote"),
            ("gpu_alone_test", "exec"),
        ):
            with self.subTest(name):
                args = self.rules[name]["args"]
                self.assertIn(f'"--launcher={launcher}"', args)
                self.assertEqual(
                    args.count("--launcher="), args.count(launcher)
                )

    def test_the_size_is_of_the_test_alone(self) -> None:
        self.assertEqual(self.rules["parameters_test"]["size"], "large")
        self.assertEqual(self.rules["gpu_alone_test"]["size"], "medium")

    def test_tags_say_what_is_needed_to_run(self) -> None:
        def tags(name: str) -> list[str]:
            return sorted(re.findall(r'"([^"]+)"', self.rules[name]["tags"]))

        self.assertEqual(tags("parameters_test"), ["cpu:4", "manual", "mine"])
        of_gpus = ["gpu", "multi_accelerator", "requires-gpu-nvidia"]
        self.assertEqual(
            tags("gpu_alone_test"),
            sorted(["cpu:4", "manual", "resources:gpu:4", *of_gpus]),
        )
        # A bundle is built, and no GPU is needed for that.
        self.assertEqual(
            tags("gpu_alone_test.bundle"), sorted(["manual", *of_gpus])
        )
        self.assertEqual(
            tags("two_gpus_test"),
            sorted(["cpu:4", "manual", "resources:gpu:2", *of_gpus]),
        )


if __name__ == "__main__":
    absltest.main()
