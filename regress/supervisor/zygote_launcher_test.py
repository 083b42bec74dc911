"""Tests for starting, using and ending a zygote."""

import json
import os
import pathlib
import signal
from unittest import mock

from absl.testing import absltest

from regress.supervisor import (
    errors,
    linux,
    rank_group_test_helper,
    zygote_launcher,
)


class ZygoteLauncherTest(rank_group_test_helper.JobTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.directory / "zygote.log"
        # Output that is buffered at a fork could appear twice, so make sure
        # that it is buffered.
        self.enter_context(mock.patch.dict(os.environ))
        os.environ.pop("PYTHONUNBUFFERED", None)

    def zygote(
        self, *preload_argv: str, start_seconds: float = 60
    ) -> zygote_launcher.ZygoteLauncher:
        return zygote_launcher.ZygoteLauncher(
            rank_group_test_helper.TRAINER,
            preload_argv,
            self.log,
            environment={"FOR_IMPORTS": "set"},
            start_seconds=start_seconds,
        )

    def assert_fails_to_start(
        self, zygote: zygote_launcher.ZygoteLauncher, message: str
    ) -> None:
        before = self.footprint()
        with self.assertRaisesRegex(errors.SupervisorError, message), zygote:
            self.fail("The zygote has started.")
        self.assertEqual(self.footprint(), before)

    def test_serves_several_attempts_by_one_preload(self) -> None:
        reports = [self.directory / f"report{i}" for i in range(3)]
        before = self.footprint()
        with self.zygote() as zygote:
            for report in reports:
                result = self.run_job(zygote, [f"report:{report}"])
                self.assert_ends(result, ["BY_ITSELF 0"])
        self.assertEqual(self.footprint(), before)
        seen = [json.loads(report.read_text()) for report in reports]
        self.assertLen({report["pid"] for report in seen}, 3)
        for report in seen:
            self.assertEqual(report["preloads"], [[]])
            self.assertEqual(report["environment"]["FOR_IMPORTS"], "set")
        # Output from before the fork does not appear again.
        self.assertEqual(self.log.read_text(), "preloading ")
        self.assertEqual((self.directory / "rank0.log").read_text(), "")

    def test_survives_what_its_ranks_do(self) -> None:
        with self.zygote() as zygote:
            for script in ("raise:SIGKILL", "fail:oh", "exit:3", "hang_up"):
                self.run_job(zygote, [script, script])
            result = self.run_job(zygote, ["exit:0"])
        self.assert_ends(result, ["BY_ITSELF 0"])

    def test_quotes_a_preload_that_fails(self) -> None:
        self.assert_fails_to_start(
            self.zygote("fail:no such accelerator"),
            "^The zygote of regress.supervisor.scripted_trainer_test_helper"
            " ended with exit code 1 while preloading. The end of its log"
            f" {self.log}:\n(?s:.*)"
            "ValueError: no such accelerator\n",
        )

    def test_names_the_code_of_a_preload_that_ends_it(self) -> None:
        self.assert_fails_to_start(
            self.zygote("exit:7"), "ended with exit code 7 while preloading"
        )

    def test_bounds_the_preload(self) -> None:
        self.assert_fails_to_start(
            self.zygote("pause", start_seconds=0.5),
            "was still preloading after 0.5 s, its bound, and was ended.",
        )

    def test_names_a_log_that_cannot_be_written(self) -> None:
        self.log.mkdir()
        self.assert_fails_to_start(
            self.zygote(), "zygote.log cannot be written: Is a directory."
        )

    def test_refuses_to_fork_with_a_second_thread(self) -> None:
        with (
            self.zygote("thread") as zygote,
            self.assertRaisesRegex(
                errors.SupervisorError,
                "^The zygote of .* must have one thread to be forked safely,"
                r" but it has 2 \(.*\): start none in preload\(\)",
            ),
        ):
            self.run_job(zygote, ["exit:0"])

    def test_says_that_it_was_killed(self) -> None:
        before = linux.children()
        with self.zygote() as zygote:
            (pid,) = linux.children() - before
            pidfd = self.open_pidfd(pid)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            rank_group_test_helper.wait_for_end(pidfd)
            with self.assertRaisesRegex(
                errors.SupervisorError,
                "^The zygote of .* ended with SIGKILL while forking a rank.",
            ):
                self.run_job(zygote, ["exit:0"])

    def test_ends_when_the_body_raises(self) -> None:
        before = self.footprint()
        with self.assertRaises(ZeroDivisionError), self.zygote():
            raise ZeroDivisionError
        self.assertEqual(self.footprint(), before)

    def test_starts_ranks_where_the_supervisor_is_now(self) -> None:
        report = self.directory / "report"
        with self.zygote() as zygote:
            before = pathlib.Path.cwd()
            os.chdir(self.directory)
            try:
                self.run_job(zygote, [f"report:{report}"])
            finally:
                os.chdir(before)
        self.assertEqual(
            json.loads(report.read_text())["directory"], str(self.directory)
        )


if __name__ == "__main__":
    absltest.main()
