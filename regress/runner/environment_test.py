"""Tests for where a test runs."""

import pathlib
import subprocess
import zipfile

from absl.testing import absltest, parameterized

from regress.runner import environment as environment_lib

_ARGV = ["python3", "-m", "x", "--case=a b"]
_TESTLOGS = "/sandbox/7/execroot/w/bazel-out/k8-fastbuild/testlogs"


def _of_bazel(
    target: str = "//a/b:c_test",
    path: str = "a/b/c_test",
    hardware: str = "none",
    channel: str = "dev",
) -> environment_lib.TestEnvironment:
    return environment_lib.TestEnvironment.from_variables(
        {"TEST_TARGET": target},
        pathlib.Path(f"{_TESTLOGS}/{path}/test.outputs"),
        hardware,
        _ARGV,
        channel,
    )


def _of_folder(folder: pathlib.Path) -> environment_lib.TestEnvironment:
    return environment_lib.TestEnvironment.from_variables(
        {}, folder, "none", _ARGV, "dev"
    )


class FromVariablesTest(parameterized.TestCase):
    @parameterized.parameters(
        "a/b/c_test",
        "a/b/c_test/run_2_of_3",
        "a/b/c_test/shard_1_of_4",
        "external/other/a/c_test",
    )
    def test_bazel_packs_the_record_where_it_puts_its_logs(self, path):
        environment = _of_bazel(path=path)
        self.assertEqual(
            environment.record,
            f"bazel-testlogs/{path}/test.outputs/outputs.zip",
        )
        self.assertEqual(environment.folder, f"/tmp/{path}")

    @parameterized.parameters(
        ("a/b/c_test", False),
        ("a/b/c_test/shard_1_of_4", False),
        ("a/b/run_c_test", False),
        ("a/b/c_test/run_2_of_3", True),
        ("a/b/c_test/shard_1_of_4_run_2_of_3", True),
    )
    def test_one_of_several_runs_knows_it(self, path, is_repeated):
        self.assertEqual(_of_bazel(path=path).is_repeated, is_repeated)

    @parameterized.parameters(
        ({}, f"{_TESTLOGS}/a/c_test/test.outputs"),
        # `bazel run` may set the variable, too.
        ({"TEST_TARGET": "//a:c_test"}, "/tmp/outputs"),
    )
    def test_without_bazel_the_record_stays_in_its_folder(
        self, environment, outputs
    ):
        environment = environment_lib.TestEnvironment.from_variables(
            environment, pathlib.Path(outputs), "none", _ARGV, "dev"
        )
        self.assertEqual(
            (environment.record, environment.folder), (outputs, outputs)
        )
        self.assertEqual(environment.target, "")
        self.assertEqual(environment.unpack_command, "")


class CommandTest(parameterized.TestCase):
    def _folder(self) -> pathlib.Path:
        return pathlib.Path(self.create_tempdir().full_path)

    def _run(self, command: str, folder: pathlib.Path) -> str:
        return subprocess.run(
            command,
            shell=True,
            cwd=folder,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def test_prints_a_file_that_bazel_has_packed(self):
        folder = self._folder()
        unpacked = folder / "not yet there"
        with zipfile.ZipFile(folder / "outputs.zip", "w") as packed:
            packed.writestr("attempt_1/rank_2.log", "one\ntwo\nthree\n")
        environment = environment_lib.TestEnvironment(
            "none", "//a:c_test", "", "outputs.zip", str(unpacked)
        )
        self.assertEqual(
            self._run(
                environment.file_command("attempt_1/rank_2.log", "tail -n 2"),
                folder,
            ),
            "two\nthree\n",
        )
        # It can run again, over the existing files.
        self._run(environment.unpack_command, folder)

    def test_prints_a_file_of_a_folder(self):
        folder = self._folder() / "the outputs"
        folder.mkdir()
        (folder / "rank_2.log").write_text("one\n")
        environment = _of_folder(folder)
        self.assertEqual(
            self._run(environment.file_command("rank_2.log", "cat"), folder),
            "one\n",
        )

    @parameterized.parameters(
        ("none", "tools/bazelw test //a/b:c_test"),
        ("nvidia_h200", "tools/bazelw test --config=h200 //a/b:c_test"),
    )
    def test_bazel_runs_a_hardwares_variant(self, hardware, command):
        self.assertEqual(_of_bazel().test_command(hardware), command)

    def test_bazel_repeats_the_test_on_the_same_hardware(self):
        self.assertEqual(
            _of_bazel(hardware="nvidia_a100").repeat_command,
            "tools/bazelw test --config=a100 //a/b:c_test --runs_per_test=3 "
            "--cache_test_results=no",
        )

    def test_bazel_runs_it_with_the_same_packages(self):
        environment = _of_bazel(channel="lts")
        for command in (
            environment.test_command("none"),
            environment.record_command,
        ):
            self.assertIn(
                " --//tools/channels:channel=lts //a/b:c_test", command
            )

    def test_the_tests_own_program_records_its_golden(self):
        self.assertEqual(
            _of_bazel(hardware="nvidia_a100").record_command,
            "tools/bazelw run --config=a100 //a/b:c_test.record",
        )

    def test_an_external_target_is_one_word(self):
        environment = _of_bazel(target="@@other~1//a:c test")
        self.assertEqual(
            environment.test_command("none"),
            "tools/bazelw test '@@other~1//a:c test'",
        )

    def test_without_bazel_the_same_command_runs_again(self):
        environment = _of_folder(pathlib.Path("/outputs"))
        self.assertEqual(
            environment.test_command("none"), "python3 -m x '--case=a b'"
        )

    def test_without_bazel_it_is_repeated_by_the_shell(self):
        environment = environment_lib.TestEnvironment.from_variables(
            {},
            pathlib.Path("/outputs"),
            "none",
            ["printf", "a run\n"],
            "dev",
        )
        self.assertEqual(
            self._run(environment.repeat_command, self._folder()), "a run\n" * 3
        )


if __name__ == "__main__":
    absltest.main()
