"""Tests that a rank sees the same with every launcher."""

import json
import os
import pathlib
import shutil
import signal
import sys
from typing import Any
from unittest import mock

from absl.testing import absltest, parameterized

from regress.supervisor import (
    errors,
    exec_launcher,
    rank_group_test_helper,
    zygote_launcher,
)


class LauncherTest(rank_group_test_helper.JobTestCase):
    def report(self, launcher: str) -> list[dict[str, Any]]:
        """Returns what each of two ranks sees."""
        paths = [self.directory / f"report{rank}" for rank in range(2)]
        # A parent may have an inheritable descriptor, a blocked signal and an
        # ignored signal; a rank must inherit none of them.
        reader, writer = os.pipe()
        os.set_inheritable(reader, True)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        ignored = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        try:
            self.run_job(launcher, [f"report:{path} print:é" for path in paths])
        finally:
            signal.signal(signal.SIGUSR2, ignored)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            os.close(reader)
            os.close(writer)
        return [json.loads(path.read_text()) for path in paths]

    @parameterized.parameters("exec", "zygote")
    def test_gives_each_rank_what_it_should(self, launcher: str) -> None:
        for rank, seen in enumerate(self.report(launcher)):
            log = str(self.directory / f"rank{rank}.log")
            fds = [
                int(fd)
                for name, fd in seen["environment"].items()
                if name in ("REGRESS_CONTROL_FD", "REGRESS_STORE_FD")
            ]
            self.assertLen(fds, 2 if rank == 0 else 1)
            others = set(seen["descriptors"]) - {0, 1, 2, *fds}
            # That is the copy of its connection, for its last message.
            self.assertLen(others, 1)
            self.assertEqual(seen["inheritable"], [0, 1, 2])
            self.assertEqual(seen["environment"]["RANK"], str(rank))
            self.assertEqual(seen["environment"]["HOME_OF_TEST"], "inherited")
            self.assertEqual(seen["sys.argv"][1:], seen["argv"])
            self.assertEqual(
                pathlib.Path(seen["sys.argv"][0]).name,
                "scripted_trainer_test_helper.py",
            )
            self.assertEqual(seen["stdin"], "")
            self.assertEqual(seen["output"], [log, log])
            self.assertEqual(pathlib.Path(log).read_text(), "é\n")
            self.assertEqual(seen["line_buffering"], [True, True])
            self.assertEqual(seen["session"], seen["pid"])
            self.assertEqual(seen["group"], seen["pid"])
            self.assertEqual(seen["parent"], os.getpid())
            self.assertEqual(seen["directory"], str(pathlib.Path.cwd()))
            self.assertEqual(seen["blocked"], [])
            # Python ignores these.
            self.assertEqual(seen["ignored"], [signal.SIGPIPE, signal.SIGXFSZ])
            self.assertEqual(seen["threads"], 1)
            self.assertTrue(seen["safe_path"])
            self.assertContainsSubset(sys.path, seen["sys.path"])

    def test_gives_the_same_whatever_the_launcher(self) -> None:
        def comparable(seen: dict[str, Any]) -> dict[str, Any]:
            for name in ("pid", "session", "group", "descriptors", "preloads"):
                del seen[name]
            for name in (
                "REGRESS_CONTROL_FD",
                "REGRESS_STORE_FD",
                "REGRESS_STORE_PORT",
            ):
                if name in seen["environment"]:
                    seen["environment"][name] = "a number"
            return seen

        self.assertEqual(
            *(
                [comparable(seen) for seen in self.report(launcher)]
                for launcher in ("exec", "zygote")
            )
        )

    def test_another_command_may_start_python(self) -> None:
        path = self.directory / "report"
        env = shutil.which("env")
        assert env is not None
        through_env = exec_launcher.ExecLauncher(
            rank_group_test_helper.TRAINER, [env, "THROUGH=env", sys.executable]
        )
        result = self.run_job(through_env, [f"report:{path}"])
        self.assert_ends(result, ["BY_ITSELF 0"])
        seen = json.loads(path.read_text())
        self.assertEqual(seen["environment"]["THROUGH"], "env")

    def setUp(self) -> None:
        super().setUp()
        self.enter_context(
            mock.patch.dict(os.environ, HOME_OF_TEST="inherited")
        )


class ModuleTest(absltest.TestCase):
    def test_must_exist(self) -> None:
        for module in ("regress.no_such_trainer", "nothing.at.all", ""):
            for make in (
                exec_launcher.ExecLauncher,
                lambda name: zygote_launcher.ZygoteLauncher(
                    name, [], pathlib.Path("log")
                ),
            ):
                with self.assertRaisesRegex(
                    errors.SupervisorError, f"there is no '{module}' on the"
                ):
                    make(module)


if __name__ == "__main__":
    absltest.main()
