"""Tests for whole attempts, with real processes."""

import contextlib
import io
import os
import pathlib
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

from absl.testing import absltest, parameterized

from regress.case import case_pb2
from regress.run import attempt_end, exit_codes, run_pb2
from regress.supervisor import (
    attempt,
    cancellation,
    errors,
    linux,
    rank_group_test_helper,
    rank_process,
    watchdog,
)

_LAUNCHERS = ("exec", "zygote")
# For a job that hangs once all its ranks have sent a message.
_IMPATIENCE = watchdog.Bounds(start_seconds=60, step_seconds=1)


def _interruption(number: str, ranks: list[int]) -> case_pb2.Interruption:
    return case_pb2.Interruption(
        iteration=2, phase=case_pb2.BACKWARD, signal=number, ranks=ranks
    )


class EndTest(rank_group_test_helper.JobTestCase):
    """How an attempt without an interruption ends."""

    @parameterized.parameters(*_LAUNCHERS)
    def test_records_a_clean_run(self, launcher: str) -> None:
        before = time.time()
        result = self.run_job(
            launcher,
            ["progress:0:ready progress:1:fine", "progress:1 exit:0"],
        )
        self.assert_ends(result, ["BY_ITSELF 0", "BY_ITSELF 0"])
        self.assertEqual(result.launcher, launcher)
        self.assertFalse(result.HasField("end"))
        self.assertFalse(result.HasField("interruption"))
        self.assertBetween(result.started_at, before, time.time())
        self.assertBetween(result.began_at, result.started_at, time.time())
        self.assertBetween(result.seconds, 0, time.time() - before)
        self.assertEqual(
            self.messages_of(0),
            [
                run_pb2.Progress(text="ready"),
                run_pb2.Progress(iteration=1, text="fine"),
            ],
        )
        self.assertEqual(self.messages_of(1), [run_pb2.Progress(iteration=1)])

    @parameterized.parameters(*_LAUNCHERS)
    def test_records_the_use_of_resources(self, launcher: str) -> None:
        # Starting an interpreter takes some tenths of a second, and more on a
        # loaded machine. A rank that burned less would not stand out.
        result = self.run_job(launcher, ["burn:2", "exit:0"])
        busy, idle = (rank.exit for rank in result.ranks)
        self.assertGreaterEqual(busy.user_seconds, 2)
        self.assertGreater(busy.user_seconds, idle.user_seconds)
        # An interpreter uses megabytes, not gigabytes.
        self.assertBetween(idle.peak_resident_bytes, 1 << 20, 1 << 30)

    @parameterized.parameters(*_LAUNCHERS)
    def test_lets_ranks_end_one_after_the_other(self, launcher: str) -> None:
        # The FIFO reaches its end when rank 0 ends.
        fifo = self.make_fifo()
        result = self.run_job(
            launcher,
            [f"open:{fifo}:w exit:0", f"read:{fifo} progress:1:survived"],
        )
        self.assert_ends(result, ["BY_ITSELF 0", "BY_ITSELF 0"])
        self.assertEqual(self.texts(), ["survived"])

    @parameterized.product(
        launcher=_LAUNCHERS,
        end=[
            ("exit:3", "BY_ITSELF 3", "exited with code 3", "last_line"),
            ("sys_exit:4", "BY_ITSELF 4", "exited with code 4", "last_line"),
            ("sys_exit:usage", "BY_ITSELF 1", "exited with code 1", "usage"),
            ("fail:oh", "BY_ITSELF 1", "exited with code 1", "ValueError: oh"),
            (
                "raise:SIGSEGV",
                "BY_ITSELF SIGSEGV",
                "was ended by SIGSEGV",
                "last_line",
            ),
        ],
    )
    def test_ends_the_others_when_one_fails(
        self, launcher: str, end: tuple[str, str, str, str]
    ) -> None:
        how, status, said, last_line = end
        result = self.run_job(
            launcher, ["pause", f"progress:7:loss print:last_line {how}"]
        )
        self.assert_ends(result, ["PEER_GONE SIGKILL", status])
        self.assertEqual(
            attempt_end.describe(result.end),
            f"Rank 1 {said} after iteration 7 (loss); its log"
            f" {self.directory}/rank1.log ends in: {last_line}",
        )

    @parameterized.parameters(*_LAUNCHERS)
    def test_a_rank_ends_without_tearing_down_the_interpreter(
        self, launcher: str
    ) -> None:
        result = self.run_job(launcher, ["torn_down:9 print:last exit:0"])
        self.assert_ends(result, ["BY_ITSELF 0"])
        self.assertEqual((self.directory / "rank0.log").read_text(), "last\n")

    @parameterized.parameters(*_LAUNCHERS)
    def test_names_a_rank_that_fails_before_it_says_anything(
        self, launcher: str
    ) -> None:
        result = self.run_job(launcher, ["exit:9"])
        self.assertEqual(
            attempt_end.describe(result.end),
            "Rank 0 exited with code 9 before its first progress message; its"
            f" log {self.directory}/rank0.log is empty",
        )

    @parameterized.product(
        launcher=_LAUNCHERS, end=["pause", "fail:oh", "exit:0"]
    )
    def test_ends_descendants(self, launcher: str, end: str) -> None:
        pidfds = []

        def open_pid(rank: int, progress: run_pb2.Progress) -> None:
            pidfds.append(self.open_pidfd(int(progress.text)))

        self.run_job(
            launcher,
            [f"child daemon {end}", f"child {end}"],
            bounds=_IMPATIENCE,
            on_progress=open_pid,
        )
        self.assertNotEmpty(pidfds)
        for pidfd in pidfds:
            self.assertTrue(rank_group_test_helper.has_ended(pidfd))


@contextlib.contextmanager
def _seen_last_first(wait: Callable[[], None]) -> Iterator[None]:
    """Has the supervisor see one event at a time, the newest first.

    Args:
        wait: Called before the supervisor looks for events.
    """
    select = selectors.DefaultSelector.select

    def reversed_select(
        self: selectors.DefaultSelector, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        wait()
        return select(self, timeout)[-1:]

    with mock.patch.object(
        selectors.DefaultSelector, "select", reversed_select
    ):
        yield


@contextlib.contextmanager
def _after_each_signal(
    then: Callable[[rank_process.RankProcess, signal.Signals], None],
) -> Iterator[None]:
    """Has something done after each signal that the supervisor sends."""
    send = rank_process.RankProcess.send_signal

    def send_and_then(
        process: rank_process.RankProcess, number: signal.Signals
    ) -> None:
        send(process, number)
        then(process, number)

    with mock.patch.object(
        rank_process.RankProcess, "send_signal", send_and_then
    ):
        yield


class SameMomentTest(rank_group_test_helper.JobTestCase):
    """Rank 1 fails because rank 0 is gone, and is seen to end first."""

    def run_pair(
        self,
        launcher: str,
        first: str,
        second: str,
        interruption: case_pb2.Interruption | None = None,
    ) -> run_pb2.Attempt:
        """Runs rank 1's script when rank 0's process has ended."""
        fifo = self.make_fifo()
        gate = self.make_fifo("gate")
        pidfds: list[int] = []

        def on_progress(rank: int, progress: run_pb2.Progress) -> None:
            self.on_progress(rank, progress)
            if progress.text:
                pidfds.append(self.open_pidfd(int(progress.text)))
                if len(pidfds) == 2:
                    gate.write_bytes(b"")

        def wait_for_both() -> None:
            # Until the interruption, rank 0 waits for it.
            if len(self.progress) == (3 if interruption else 2):
                for pidfd in pidfds:
                    rank_group_test_helper.wait_for_end(pidfd)

        with _seen_last_first(wait_for_both):
            return self.run_job(
                launcher,
                [
                    f"pid read:{gate} open:{fifo}:w {first}",
                    f"pid read:{fifo} {second}",
                ],
                interruption=interruption,
                on_progress=on_progress,
            )

    @parameterized.product(
        launcher=_LAUNCHERS,
        first=[
            ("exit:3", "BY_ITSELF 3"),
            ("fail:first", "BY_ITSELF 1"),
            ("raise:SIGKILL", "BY_ITSELF SIGKILL"),
            ("raise:SIGSEGV", "BY_ITSELF SIGSEGV"),
            ("quit:5", "BY_ITSELF 5"),
        ],
        second=[
            ("fail:lost", "PEER_GONE 1"),
            ("raise:SIGABRT", "PEER_GONE SIGABRT"),
        ],
    )
    def test_names_the_rank_that_failed_first(
        self, launcher: str, first: tuple[str, str], second: tuple[str, str]
    ) -> None:
        result = self.run_pair(launcher, first[0], second[0])
        self.assert_ends(result, [first[1], second[1]])
        self.assertEqual(result.end.failure.rank.rank, 0)

    @parameterized.product(launcher=_LAUNCHERS, first=["exit:0", "quit:0"])
    def test_sees_that_a_rank_was_done_first(
        self, launcher: str, first: str
    ) -> None:
        result = self.run_pair(launcher, first, "fail:lost")
        self.assert_ends(result, ["BY_ITSELF 0", "BY_ITSELF 1"])
        done, lost = (exit_codes.order(rank.exit) for rank in result.ranks)
        self.assertLess(done, lost)

    @parameterized.product(launcher=_LAUNCHERS, number=["SIGKILL", "SIGTERM"])
    def test_excuses_the_peer_of_a_rank_that_was_hit(
        self, launcher: str, number: str
    ) -> None:
        result = self.run_pair(
            launcher,
            "wait:2:BACKWARD",
            "fail:lost",
            _interruption(number, [0]),
        )
        self.assert_ends(result, [f"INTERRUPTED {number}", "PEER_GONE 1"])
        self.assertFalse(result.HasField("end"))

    @parameterized.product(
        launcher=_LAUNCHERS,
        # The signal, and the last one that is sent for it.
        numbers=[("SIGSTOP", "SIGSTOP"), ("SIGTERM", "SIGCONT")],
    )
    def test_does_not_excuse_the_peer_of_a_rank_that_lives_on(
        self, launcher: str, numbers: tuple[str, str]
    ) -> None:
        number, last = numbers
        gate = self.make_fifo()

        def open_gate(
            process: rank_process.RankProcess, number: signal.Signals
        ) -> None:
            del process
            if number.name == last:
                gate.write_bytes(b"")

        with _after_each_signal(open_gate):
            result = self.run_job(
                launcher,
                [
                    "ignore:SIGTERM wait:2:BACKWARD pause",
                    f"read:{gate} fail:own",
                ],
                interruption=_interruption(number, [0]),
            )
        self.assert_ends(result, ["INTERRUPTED SIGKILL", "BY_ITSELF 1"])
        self.assertEqual(result.end.failure.rank.rank, 1)


class HangTest(rank_group_test_helper.JobTestCase):
    """Attempts that exceed the watchdog's bounds."""

    @parameterized.parameters(*_LAUNCHERS)
    def test_ends_a_job_between_two_steps(self, launcher: str) -> None:
        result = self.run_job(
            launcher,
            ["progress:3:loss pause", "progress:2 wait:3:FORWARD pause"],
            bounds=_IMPATIENCE,
        )
        self.assert_ends(result, ["HANG SIGKILL", "HANG SIGKILL"])
        self.assertEqual(
            attempt_end.describe(result.end),
            "The watchdog ended the attempt, as there was no progress message"
            " for 1 s: rank 0 is running (state S), after iteration 3 (loss),"
            f" log {self.directory}/rank0.log; rank 1 is running (state S),"
            " waiting in FORWARD of iteration 3, log"
            f" {self.directory}/rank1.log.",
        )

    @parameterized.parameters(*_LAUNCHERS)
    def test_ends_a_job_that_does_not_start(self, launcher: str) -> None:
        result = self.run_job(
            launcher,
            ["exit:0", "pause"],
            bounds=watchdog.Bounds(start_seconds=1, step_seconds=60),
        )
        self.assertEqual(run_pb2.ExitStatus.HANG, result.ranks[1].exit.cause)
        self.assertRegex(
            attempt_end.describe(result.end),
            "^The watchdog ended the attempt, as there was no progress message"
            " of rank .*1 within 1 s of the launch: .*rank 1 is .*, before its"
            " first progress message, log",
        )

    @parameterized.parameters(*_LAUNCHERS)
    def test_ends_a_job_that_has_disconnected(self, launcher: str) -> None:
        result = self.run_job(
            launcher, ["progress:1 hang_up pause"], bounds=_IMPATIENCE
        )
        self.assert_ends(result, ["HANG SIGKILL"])

    @parameterized.parameters(*_LAUNCHERS)
    def test_expects_nothing_of_a_rank_that_is_done(
        self, launcher: str
    ) -> None:
        fifo = self.make_fifo()
        result = self.run_job(
            launcher,
            [f"open:{fifo}:w exit:0", f"read:{fifo} progress:1 pause"],
            bounds=_IMPATIENCE,
        )
        self.assert_ends(result, ["BY_ITSELF 0", "HANG SIGKILL"])
        self.assertIn(
            "no progress message for 1 s", attempt_end.describe(result.end)
        )


class AbsenceTest(rank_group_test_helper.JobTestCase):
    """Attempts whose supervisor is stopped for longer than the bound."""

    @parameterized.parameters(*_LAUNCHERS)
    def test_reads_its_messages_before_it_calls_a_rank_hung(
        self, launcher: str
    ) -> None:
        fifo = self.make_fifo()

        def stop_at_first(rank: int, progress: run_pb2.Progress) -> None:
            self.on_progress(rank, progress)
            if len(self.progress) == 1:
                self._stop_while_the_reader_goes_on(fifo)

        result = self.run_job(
            launcher,
            [f"progress:1:a read:{fifo} progress:2:b exit:0"],
            bounds=_IMPATIENCE,
            on_progress=stop_at_first,
        )
        self.assert_ends(result, ["BY_ITSELF 0"])
        self.assertEqual(self.texts(), ["a", "b"])

    def _stop_while_the_reader_goes_on(self, fifo: pathlib.Path) -> None:
        """Has another process stop this one for three times the bound."""
        code = f"""
import os, signal, time
os.kill({os.getpid()}, signal.SIGSTOP)
open({str(fifo)!r}, "w").close()
time.sleep({3 * _IMPATIENCE.step_seconds})
os.kill({os.getpid()}, signal.SIGCONT)
"""
        # The attempt reaps it.
        os.posix_spawn(sys.executable, [sys.executable, "-c", code], os.environ)


class StuckTest(rank_group_test_helper.JobTestCase):
    """Ranks that SIGKILL does not end."""

    @parameterized.parameters(*_LAUNCHERS)
    def test_is_named_within_a_bound(self, launcher: str) -> None:
        self._assert_named(
            launcher,
            _IMPATIENCE,
            lambda rank, progress: None,
            "^The watchdog ended the attempt, as there was no progress message "
            "for 1 s: rank 0 is running .state S., after iteration 3",
        )

    @parameterized.parameters(*_LAUNCHERS)
    def test_is_named_within_a_bound_after_sigterm(self, launcher: str) -> None:
        self._assert_named(
            launcher,
            rank_group_test_helper.PATIENCE,
            lambda rank, progress: os.kill(os.getpid(), signal.SIGTERM),
            r"^The supervisor was sent SIGTERM\.$",
        )

    def _assert_named(
        self,
        launcher: str,
        bounds: watchdog.Bounds,
        on_progress: Callable[[int, run_pb2.Progress], None],
        why: str,
    ) -> None:
        # Only a process that waits in the kernel survives SIGKILL. This one is
        # not sent any, which looks the same to its supervisor.
        with (
            mock.patch.object(
                rank_process.RankProcess, "kill", lambda process: None
            ),
            mock.patch.object(linux, "REAP_SECONDS", 2.0),
            contextlib.redirect_stderr(io.StringIO()) as told,
            rank_group_test_helper.open_launcher(
                launcher, self.directory
            ) as opened,
        ):
            before = time.monotonic()
            with self.assertRaisesRegex(
                errors.UnreapedError,
                r"^SIGKILL did not end rank 0, process \d+ \(state S\), "
                r"within 2 s: it waits in the kernel",
            ):
                attempt.run_attempt(
                    opened,
                    rank_group_test_helper.commands(
                        self.directory, ["progress:3:loss pause"]
                    ),
                    interruption=None,
                    bounds=bounds,
                    on_progress=on_progress,
                )
            # Bazel gives a test 15 s after SIGTERM.
            self.assertLess(time.monotonic() - before, 15)
        self.assertRegex(told.getvalue(), why)
        linux.end_children(spare=set())


class InterruptionTest(rank_group_test_helper.JobTestCase):
    """Interruptions at a phase of an iteration."""

    @parameterized.product(launcher=_LAUNCHERS, number=["SIGKILL", "SIGTERM"])
    def test_hits_all_ranks(self, launcher: str, number: str) -> None:
        result = self.run_job(
            launcher,
            ["progress:1:x wait:2:BACKWARD", "progress:1:x pause"],
            interruption=_interruption(number, []),
        )
        self.assert_ends(result, [f"INTERRUPTED {number}"] * 2)
        self.assertFalse(result.HasField("end"))
        self.assertBetween(result.interruption.seconds, 0, result.seconds)
        result.interruption.ClearField("seconds")
        self.assertEqual(
            result.interruption,
            run_pb2.InterruptionEvent(
                iteration=2,
                phase=case_pb2.BACKWARD,
                signal=number,
                ranks=[0, 1],
            ),
        )

    @parameterized.product(
        launcher=_LAUNCHERS,
        # The signal sent, and the signal that rank 0 dies of.
        numbers=[("SIGKILL", "SIGKILL"), ("SIGTERM", "SIGCONT")],
    )
    def test_hits_no_rank_that_has_seen_another_one_die(
        self, launcher: str, numbers: tuple[str, str]
    ) -> None:
        number, deadly = numbers
        # The FIFO reaches its end when rank 0 ends; rank 1 would then continue.
        fifo = self.make_fifo()
        waited = []

        def wait(
            process: rank_process.RankProcess, number: signal.Signals
        ) -> None:
            if process.rank == 0 and number.name == deadly:
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                (message,) = self.messages_of(1)
                os.waitid(
                    os.P_PID,
                    int(message.text),
                    os.WEXITED | os.WSTOPPED | os.WNOWAIT,
                )
                waited.append(number)

        with _after_each_signal(wait):
            result = self.run_job(
                launcher,
                [f"open:{fifo}:w wait:2:BACKWARD", f"pid read:{fifo} exit:1"],
                interruption=_interruption(number, []),
            )
        self.assertLen(waited, 1)
        self.assert_ends(
            result, [f"INTERRUPTED {number}", f"INTERRUPTED {number}"]
        )

    @parameterized.product(launcher=_LAUNCHERS, number=["SIGKILL", "SIGTERM"])
    def test_hits_some_ranks_and_ends_the_others(
        self, launcher: str, number: str
    ) -> None:
        result = self.run_job(
            launcher,
            ["wait:2:BACKWARD", "pause", "pause", "pause"],
            interruption=_interruption(number, [3, 1, 3]),
        )
        self.assert_ends(
            result,
            [
                "PEER_GONE SIGKILL",
                f"INTERRUPTED {number}",
                "PEER_GONE SIGKILL",
                f"INTERRUPTED {number}",
            ],
        )
        self.assertEqual(list(result.interruption.ranks), [1, 3])
        self.assertFalse(result.HasField("end"))

    @parameterized.product(launcher=_LAUNCHERS, code=[0, 5])
    def test_lets_a_rank_end_by_its_handler(
        self, launcher: str, code: int
    ) -> None:
        result = self.run_job(
            launcher,
            [f"catch:SIGTERM:{code} wait:2:BACKWARD", "pause"],
            interruption=_interruption("SIGTERM", [0]),
        )
        self.assert_ends(result, [f"INTERRUPTED {code}", "PEER_GONE SIGKILL"])
        self.assertFalse(result.HasField("end"))

    @parameterized.parameters(*_LAUNCHERS)
    def test_lets_all_ranks_end_well_by_a_graceful_stop(
        self, launcher: str
    ) -> None:
        # Rank 1 is not hit; it ends when rank 0 has ended.
        fifo = self.make_fifo()
        interruption = _interruption("SIGTERM", [0])
        interruption.graceful = True
        result = self.run_job(
            launcher,
            [
                f"ignore:SIGTERM open:{fifo}:w wait:2:BACKWARD exit:0",
                f"read:{fifo} exit:0",
            ],
            interruption=interruption,
        )
        self.assert_ends(result, ["INTERRUPTED 0", "BY_ITSELF 0"])
        self.assertFalse(result.HasField("end"))

    @parameterized.parameters(*_LAUNCHERS)
    def test_ends_the_others_if_a_graceful_stop_fails(
        self, launcher: str
    ) -> None:
        interruption = _interruption("SIGTERM", [0])
        interruption.graceful = True
        result = self.run_job(
            launcher,
            ["ignore:SIGTERM wait:2:BACKWARD exit:5", "pause"],
            interruption=interruption,
        )
        self.assert_ends(result, ["INTERRUPTED 5", "PEER_GONE SIGKILL"])

    @parameterized.parameters(*_LAUNCHERS)
    def test_leaves_a_rank_that_ignores_it_to_the_watchdog(
        self, launcher: str
    ) -> None:
        # Rank 0 waits once rank 1 ignores the signal.
        fifo = self.make_fifo()
        result = self.run_job(
            launcher,
            [
                f"open:{fifo}:r wait:2:BACKWARD",
                f"ignore:SIGTERM open:{fifo}:w progress:1:deaf pause",
                "pause",
            ],
            interruption=_interruption("SIGTERM", [0, 1]),
            bounds=_IMPATIENCE,
        )
        self.assert_ends(
            result,
            ["INTERRUPTED SIGTERM", "INTERRUPTED SIGKILL", "PEER_GONE SIGKILL"],
        )
        self.assertRegex(
            attempt_end.describe(result.end),
            r"no progress message for 1 s: rank 1 is running \(state S\), "
            r"[^;]*\.$",
        )

    @parameterized.product(
        launcher=_LAUNCHERS,
        # One does not want to save and stop, the other one cannot.
        stuck=[
            ("pause", r"running \(state S\)"),
            ("raise:SIGSTOP", r"stopped \(state T\)"),
        ],
    )
    def test_names_a_rank_that_is_stuck_in_a_graceful_stop(
        self, launcher: str, stuck: tuple[str, str]
    ) -> None:
        # Rank 0 waits once rank 1 ignores the signal.
        fifo = self.make_fifo()
        command, state = stuck
        interruption = _interruption("SIGTERM", [0, 1])
        interruption.graceful = True
        result = self.run_job(
            launcher,
            [
                f"ignore:SIGTERM open:{fifo}:r wait:2:BACKWARD exit:0",
                f"ignore:SIGTERM open:{fifo}:w progress:1:deaf {command}",
            ],
            interruption=interruption,
            bounds=_IMPATIENCE,
        )
        self.assert_ends(result, ["INTERRUPTED 0", "INTERRUPTED SIGKILL"])
        self.assertRegex(
            attempt_end.describe(result.end),
            rf"no progress message for 1 s: rank 1 is {state}, after iteration "
            r"1 \(deaf\), [^;]*\.$",
        )

    @parameterized.product(launcher=_LAUNCHERS, ranks=[[], [1]])
    def test_says_who_was_stopped(
        self, launcher: str, ranks: list[int]
    ) -> None:
        # Rank 0 waits once rank 1 has sent a message.
        fifo = self.make_fifo()
        result = self.run_job(
            launcher,
            [
                f"open:{fifo}:r wait:2:BACKWARD",
                f"progress:1:loss open:{fifo}:w pause",
            ],
            interruption=_interruption("SIGSTOP", ranks),
            bounds=_IMPATIENCE,
        )
        hit = "INTERRUPTED SIGKILL"
        self.assert_ends(result, ["HANG SIGKILL" if ranks else hit, hit])
        state_of_0 = "running (state S)" if ranks else "stopped (state T)"
        self.assertEqual(
            attempt_end.describe(result.end),
            "The watchdog ended the attempt, as there was no progress message"
            f" for 1 s: rank 0 is {state_of_0}, waiting in BACKWARD of"
            f" iteration 2, log {self.directory}/rank0.log; rank 1 is stopped"
            " (state T), after iteration 1 (loss), log"
            f" {self.directory}/rank1.log.",
        )

    @parameterized.parameters(*_LAUNCHERS)
    def test_counts_the_bound_from_the_signal(self, launcher: str) -> None:
        # Rank 1 never sends a message, but the job is under way.
        result = self.run_job(
            launcher,
            ["wait:2:BACKWARD", "pause"],
            interruption=_interruption("SIGSTOP", []),
            bounds=_IMPATIENCE,
        )
        self.assertIn(
            "no progress message for 1 s", attempt_end.describe(result.end)
        )

    @parameterized.product(
        launcher=_LAUNCHERS, place=["2:FORWARD", "1:BACKWARD"]
    )
    def test_lets_a_rank_continue_that_waits_elsewhere(
        self, launcher: str, place: str
    ) -> None:
        result = self.run_job(
            launcher,
            [f"wait:{place} progress:3:on"],
            interruption=_interruption("SIGKILL", []),
        )
        self.assert_ends(result, ["BY_ITSELF 0"])
        self.assertEqual(self.texts(), ["", "on"])
        self.assertFalse(result.HasField("interruption"))

    def test_lets_a_rank_continue_if_nobody_is_to_be_interrupted(self) -> None:
        result = self.run_job("exec", ["wait:2:BACKWARD progress:3:on"])
        self.assert_ends(result, ["BY_ITSELF 0"])
        self.assertEqual(self.texts(), ["", "on"])

    @parameterized.parameters(*_LAUNCHERS)
    def test_does_not_count_a_crash_just_before_as_a_hit(
        self, launcher: str
    ) -> None:
        # Another process kills rank 0 when rank 1 reports that it waits.
        fifo = self.make_fifo()
        pidfds = []

        def on_progress(rank: int, progress: run_pb2.Progress) -> None:
            if rank == 0:
                pidfds.append(self.open_pidfd(int(progress.text)))
            else:
                signal.pidfd_send_signal(pidfds[0], signal.SIGUSR1)
                rank_group_test_helper.wait_for_end(pidfds[0])

        result = self.run_job(
            launcher,
            [
                f"pid open:{fifo}:w pause",
                f"open:{fifo}:r wait:2:BACKWARD",
            ],
            interruption=_interruption("SIGKILL", []),
            on_progress=on_progress,
        )
        self.assert_ends(result, ["BY_ITSELF SIGUSR1", "PEER_GONE SIGKILL"])
        self.assertFalse(result.HasField("interruption"))

    @parameterized.parameters(*_LAUNCHERS)
    def test_does_not_hit_a_rank_that_is_about_to_end(
        self, launcher: str
    ) -> None:
        # Rank 0 ends when rank 1 has reported that it waits.
        fifo = self.make_fifo()
        gate = self.make_fifo("gate")
        pids = []

        def on_progress(rank: int, progress: run_pb2.Progress) -> None:
            if rank == 0:
                pids.append(int(progress.text))
            else:
                gate.write_bytes(b"")
                while not linux.is_exiting(pids[0]):
                    pass

        result = self.run_job(
            launcher,
            [
                f"pid open:{fifo}:w read:{gate} end_slowly",
                f"open:{fifo}:r wait:2:BACKWARD",
            ],
            interruption=_interruption("SIGKILL", []),
            bounds=_IMPATIENCE,
            on_progress=on_progress,
        )
        self.assert_ends(result, ["HANG SIGKILL"] * 2)
        self.assertFalse(result.HasField("interruption"))

    @parameterized.product(launcher=_LAUNCHERS, number=["SIGKILL", "SIGTERM"])
    def test_does_not_count_a_rank_that_has_told_of_its_end(
        self, launcher: str, number: str
    ) -> None:
        # Rank 0 tells of it when rank 1's message has been seen, so that the
        # supervisor has not read its word when it sends the signal.
        gate = self.make_fifo()
        told = self.make_fifo("told")

        def on_progress(rank: int, progress: run_pb2.Progress) -> None:
            self.on_progress(rank, progress)
            gate.write_bytes(b"")
            # It blocks until rank 0 opens the other end.
            os.close(os.open(told, os.O_RDONLY))

        result = self.run_job(
            launcher,
            [f"read:{gate} tell open:{told}:w pause", "wait:2:BACKWARD"],
            interruption=_interruption(number, []),
            on_progress=on_progress,
        )
        self.assert_ends(
            result, [f"BY_ITSELF {number}", f"INTERRUPTED {number}"]
        )
        self.assertEqual(result.end.failure.rank.rank, 0)

    def test_refuses_a_rank_that_the_job_does_not_have(self) -> None:
        with self.assertRaisesRegex(
            errors.SupervisorError, "must hit ranks 0 to 0, but names rank 1"
        ):
            self.run_job(
                "exec",
                ["pause"],
                interruption=_interruption("SIGKILL", [0, 1]),
            )


class CancellationTest(rank_group_test_helper.JobTestCase):
    """Signals to the supervisor."""

    @parameterized.product(
        launcher=_LAUNCHERS, number=[signal.SIGTERM, signal.SIGINT]
    )
    def test_ends_all_ranks(
        self, launcher: str, number: signal.Signals
    ) -> None:
        def on_progress(rank: int, progress: run_pb2.Progress) -> None:
            os.kill(os.getpid(), number)

        with self.assertRaises(cancellation.Cancelled) as raised:
            self.run_job(
                launcher,
                ["progress:1 pause", "child pause"],
                on_progress=on_progress,
            )
        result = raised.exception.attempt
        self.assert_ends(result, ["CANCELLED SIGKILL"] * 2)
        self.assertEqual(
            attempt_end.describe(result.end),
            f"The supervisor was sent {number.name}.",
        )
        self.assertEqual(raised.exception.signal, number)
        self.assertGreater(result.seconds, 0)

    @parameterized.product(
        launcher=_LAUNCHERS, stuck=["pause", "raise:SIGSTOP"]
    )
    def test_ends_ranks_that_are_stuck(self, launcher: str, stuck: str) -> None:
        def on_progress(rank: int, progress: run_pb2.Progress) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        with self.assertRaises(cancellation.Cancelled) as raised:
            self.run_job(
                launcher,
                [f"ignore:SIGTERM ignore:SIGINT daemon {stuck}"] * 2,
                on_progress=on_progress,
            )
        self.assert_ends(raised.exception.attempt, ["CANCELLED SIGKILL"] * 2)
        # Bazel gives a test 15 s after SIGTERM.
        self.assertLess(raised.exception.attempt.seconds, 15)

    def test_is_not_lost_when_all_ranks_are_done(self) -> None:
        pidfds = []

        def on_progress(rank: int, progress: run_pb2.Progress) -> None:
            pidfds.append(self.open_pidfd(int(progress.text)))
            rank_group_test_helper.wait_for_end(pidfds[0])
            os.kill(os.getpid(), signal.SIGTERM)

        with self.assertRaises(cancellation.Cancelled) as raised:
            self.run_job("exec", ["pid"], on_progress=on_progress)
        self.assertEqual(
            attempt_end.describe(raised.exception.attempt.end),
            "The supervisor was sent SIGTERM.",
        )


class FailureTest(rank_group_test_helper.JobTestCase):
    """What run_attempt raises; run_job checks that nothing is left behind."""

    @parameterized.parameters(*_LAUNCHERS)
    def test_raises_what_on_progress_raises(self, launcher: str) -> None:
        def on_progress(rank: int, progress: run_pb2.Progress) -> None:
            raise ZeroDivisionError("of the caller")

        with self.assertRaisesRegex(ZeroDivisionError, "of the caller"):
            self.run_job(
                launcher,
                ["child daemon pause", "pause"],
                on_progress=on_progress,
            )

    @parameterized.parameters(*_LAUNCHERS)
    def test_names_a_log_that_cannot_be_written(self, launcher: str) -> None:
        (self.directory / "rank1.log").mkdir()
        with self.assertRaisesRegex(
            errors.SupervisorError,
            "^Rank 1's log .*/rank1.log cannot be written: Is a directory.$",
        ):
            self.run_job(launcher, ["pause", "pause"])

    @parameterized.parameters(*_LAUNCHERS)
    def test_names_a_rank_that_speaks_another_language(
        self, launcher: str
    ) -> None:
        with self.assertRaisesRegex(
            errors.SupervisorError, "^Rank 1 must send Progress messages .*"
        ):
            self.run_job(launcher, ["pause", "garbage pause"])

    @parameterized.parameters(*_LAUNCHERS)
    def test_allows_a_rank_to_hang_up(self, launcher: str) -> None:
        fifo = self.make_fifo()
        result = self.run_job(
            launcher,
            [
                f"progress:1:x hang_up read:{fifo} exit:0",
                f"open:{fifo}:w progress:1 exit:0",
            ],
        )
        self.assert_ends(result, ["BY_ITSELF 0", "BY_ITSELF 0"])


class StoreTest(rank_group_test_helper.JobTestCase):
    """The store's port, where ranks find each other."""

    @parameterized.parameters(*_LAUNCHERS)
    def test_is_where_ranks_meet_and_is_free_afterwards(
        self, launcher: str
    ) -> None:
        result = self.run_job(launcher, ["store"] * 3)
        self.assert_ends(result, ["BY_ITSELF 0"] * 3)
        ports = set(self.texts())
        self.assertLen(ports, 1)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(ports.pop())))

    @parameterized.parameters(*_LAUNCHERS)
    def test_is_free_after_a_kill(self, launcher: str) -> None:
        self.run_job(
            launcher,
            ["store child wait:2:BACKWARD", "store pause"],
            interruption=_interruption("SIGKILL", []),
        )
        port = self.messages_of(0)[0].text
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(port)))


if __name__ == "__main__":
    absltest.main()
