"""Checks how tests behave on a pool such as tools/remote starts.

    tools/bazelw run //tools/remote:check

It takes minutes. It uses Bazel 7.7.1, by tools/bazel7, because buildbox's
workers do not know how Bazel 4 names an action's outputs.
"""

import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

from absl import app, flags

from regress import errors
from tools.remote import pool, prerequisites, workers

_PORT = flags.DEFINE_integer("port", 8981, "BuildGrid's port, on loopback.")
_ONLY = flags.DEFINE_list("only", [], "Names of the checks to run, if not all.")

_TESTS = "//tools/remote/testdata"
_MAIN_TEST = (
    "//regress:gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_test"
)
_CPU = "worker-cpu"
_END_SECONDS = 30
_RANKS_SECONDS = 180
_TEST_SECONDS = 600
# Something that is rejected at once, or has an idle worker, takes less.
_QUEUED_SECONDS = 20
_FLAGS = ("--color=no", "--curses=no", "--noshow_progress")


class CheckError(errors.UserError):
    """A check failed."""


class Checks:
    """The checks, in order: later ones need what earlier ones built."""

    def __init__(self, running: pool.Pool, workspace: pathlib.Path) -> None:
        """Takes a running pool and the source tree."""
        self._pool = running
        self._workspace = workspace

    def all(self) -> Sequence[Callable[[], None]]:
        """Returns the checks. Each raises CheckError if it fails."""
        return (
            self.passes_with_a_cold_cache,
            self.passes_with_a_warm_cache,
            self.is_not_run_again,
            self.goes_to_the_gpu_that_it_asks_for,
            self.does_not_share_results_between_gpus,
            self.fails_on_a_worker_without_the_gpu_it_declares,
            self.waits_for_a_gpu_that_nobody_has,
            self.is_refused_with_an_unknown_property,
            self.survives_the_worker,
            self.main_test_passes,
        )

    def passes_with_a_cold_cache(self) -> None:
        """The pool has nothing yet, so Bazel sends it the wheels."""
        self._bazel("clean")
        self._expect(self._test(f"{_TESTS}:tiny_test"), "PASSED")

    def passes_with_a_warm_cache(self) -> None:
        """Another action needs the same wheels."""
        output = self._test(
            f"{_TESTS}:tiny_test", "--test_env=REGRESS_ANOTHER_ACTION=1"
        )
        self._expect(output, "PASSED", r"\b1 remote\b")

    def is_not_run_again(self) -> None:
        """A checkout that has built nothing gets the pool's result."""
        self._bazel("clean")
        output = self._test(f"{_TESTS}:tiny_test")
        self._expect(output, r"\(cached\) PASSED", r"\d+ remote cache hit")
        self._expect_not(output, r"\b\d+ remote[,.]")

    def goes_to_the_gpu_that_it_asks_for(self) -> None:
        """A test that asks for no GPU goes to a worker without one."""
        self._expect_worker(_CPU)
        self._expect_worker("worker-h200", "--config=h200")

    def does_not_share_results_between_gpus(self) -> None:
        """The same test has one result for each GPU, whatever ran last."""
        for flag, worker in (("", _CPU), ("--config=h200", "worker-h200")):
            self._bazel("clean")
            output = self._expect_worker(worker, *filter(None, [flag]))
            self._expect(output, r"\(cached\) PASSED")

    def fails_on_a_worker_without_the_gpu_it_declares(self) -> None:
        """The worker claims an H200, and the test looks for itself."""
        output = self._test(f"{_TESTS}:tiny_test", "--config=h200")
        self._expect(output, "FAIL: wrong environment", "nvidia_h200")

    def waits_for_a_gpu_that_nobody_has(self) -> None:
        """The test waits until a worker has the GPU or the user gives up."""
        with self._started(
            "test", f"{_TESTS}:worker_test", "--config=a100"
        ) as bazel:
            try:
                bazel.wait(_QUEUED_SECONDS)
            except subprocess.TimeoutExpired:
                return
            raise CheckError(f"it did not wait: {_output(bazel)}")

    def is_refused_with_an_unknown_property(self) -> None:
        """The pool does not know the property."""
        started = time.monotonic()
        output = self._test(f"{_TESTS}:unknown_property_test")
        self._expect(output, "FAILED_PRECONDITION", "gpu-typo")
        if time.monotonic() - started > _QUEUED_SECONDS:
            raise CheckError("it was rejected late.")

    def survives_the_worker(self) -> None:
        """The worker dies while ranks train; the next worker gets the test."""
        with self._started(
            "test",
            f"{_TESTS}:tiny_test",
            "--test_env=REGRESS_ANOTHER_ACTION=2",
        ) as bazel:
            processes = self._training_processes()
            self._pool.kill_worker(_CPU)
            for pidfd in processes:
                ended, _, _ = select.select([pidfd], [], [], _END_SECONDS)
                os.close(pidfd)
                if not ended:
                    raise CheckError("a process outlives its worker.")
            self._pool.start_worker(workers.CPU)
            output = _output(bazel)
        self._expect(output, "PASSED", r"\b1 remote\b")

    def main_test_passes(self) -> None:
        """The main test passes, at its full length."""
        self._expect(self._test(_MAIN_TEST), "PASSED")

    def _training_processes(self) -> list[int]:
        """Waits for both attempts' ranks; returns a pidfd for each process.

        These are the test, its zygote and, for each attempt, four ranks and
        the process that guards them.
        """
        deadline = time.monotonic() + _RANKS_SECONDS
        while True:
            found = self._pool.processes(_CPU)
            python = [p for p, command in found.items() if "python" in command]
            if len(python) >= 2 + 2 * 5:
                return [os.pidfd_open(pid) for pid in found]
            if time.monotonic() > deadline:
                raise CheckError(f"no ranks run on {_CPU}: {found}")
            time.sleep(0.1)

    def _expect_worker(self, worker: str, *arguments: str) -> str:
        output = self._test(
            f"{_TESTS}:worker_test", "--test_output=all", *arguments
        )
        self._expect(output, f"This is {worker}\\.", "PASSED")
        return output

    def _test(self, *arguments: str) -> str:
        return self._bazel("test", *arguments)

    def _bazel(self, *arguments: str) -> str:
        with self._started(*arguments) as bazel:
            return _output(bazel)

    @contextlib.contextmanager
    def _started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Starts Bazel, and ends it on exit."""
        with subprocess.Popen(
            self._command(*arguments),
            cwd=self._workspace,
            # A signal to the group reaches Bazel and not only its container.
            start_new_session=True,
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        ) as bazel:
            try:
                yield bazel
            finally:
                _interrupt(bazel)

    def _command(self, verb: str, *arguments: str) -> list[str]:
        settings = (
            ["--config=pool", f"--remote_executor={self._pool.address}"]
            if verb == "test"
            else []
        )
        return ["tools/bazel7", verb, *_FLAGS, *settings, *arguments]

    def _expect(self, output: str, *patterns: str) -> None:
        for pattern in patterns:
            if not re.search(pattern, output):
                raise CheckError(f"expected {pattern}, found: {output}")

    def _expect_not(self, output: str, pattern: str) -> None:
        if re.search(pattern, output):
            raise CheckError(f"expected no {pattern}, found: {output}")


def _interrupt(process: subprocess.Popen[str]) -> str:
    """Interrupts Bazel if it has not ended; returns the rest of its output."""
    if process.stdout is None or process.stdout.closed:
        return ""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate()
    return output


def _output(process: subprocess.Popen[str]) -> str:
    try:
        output, _ = process.communicate(timeout=_TEST_SECONDS)
    except subprocess.TimeoutExpired:
        output = _interrupt(process)
        raise CheckError(
            f"Bazel has not ended after {_TEST_SECONDS} s: {output}"
        ) from None
    return output


@errors.ends_with(1)
def main(argv: Sequence[str]) -> int:
    """Runs the checks. Returns the exit status."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    workspace = prerequisites.workspace()
    with (
        tempfile.TemporaryDirectory(
            prefix="regress_pool_", ignore_cleanup_errors=True
        ) as folder,
        pool.start(
            pathlib.Path(folder),
            _PORT.value,
            prerequisites.debian_sid(),
            workers.ALL,
        ) as running,
    ):
        checks = Checks(running, workspace)
        for check in checks.all():
            if _ONLY.value and check.__name__ not in _ONLY.value:
                continue
            started = time.monotonic()
            check()
            seconds = time.monotonic() - started
            print(f"ok  {seconds:5.1f} s  {check.__name__}", flush=True)
    return 0


if __name__ == "__main__":
    app.run(main)
