"""Faults in what a resumed rank saves: only the next load can show them.

The state in memory is right, and so is its digest; the file is not. The last
attempt saves the checkpoints of iterations 6 and 8.
"""

import copy
import dataclasses
import functools
import shutil
from collections.abc import Callable
from typing import Any

import torch

from regress.case import case_pb2
from regress.checkpoint import layout
from regress.testing import instrumentation
from regress.testing.faults import fault
from regress.trainer import hooks

_LOADED = 4
_LAST = 8
_ALL = (0, 1, 2, 3)

# Takes what a file gets, and what the process's first file got.
_Change = Callable[[dict[str, Any], dict[str, Any]], None]


def _from_second_save(change: _Change) -> instrumentation.Install:
    """Changes each file but the first one of a process."""
    first: list[dict[str, Any]] = []

    def change_later(saved: dict[str, Any], state: Any) -> None:
        del state
        if first:
            change(saved, first[0])
        else:
            # The tensors are the live ones, which training changes.
            first.append(copy.deepcopy(saved))

    return instrumentation.at_save(change_later)


def _keep_tensors(saved: dict[str, Any], first: dict[str, Any]) -> None:
    saved.update(
        {
            name: part
            for name, part in first.items()
            if name.startswith("model") or name == "optimizer"
        }
    )


def _keep(*names: str) -> _Change:
    def change(saved: dict[str, Any], first: dict[str, Any]) -> None:
        for name in names:
            saved[name] = first[name]

    return change


def _count_samples_from_load(saved: dict[str, Any], state: Any) -> None:
    del state
    saved["args"].consumed_train_samples -= _LOADED * 4


def _count_schedule_from_load(saved: dict[str, Any], state: Any) -> None:
    del state
    saved["opt_param_scheduler"] = {
        **saved["opt_param_scheduler"],
        "num_steps": saved["opt_param_scheduler"]["num_steps"] - _LOADED * 4,
    }


def _own_optimizer(saved: dict[str, Any]) -> dict[str, Any]:
    """Replaces the optimizer's part by a copy, which a fault may change.

    The tensors of the part itself are the live ones.
    """
    own: dict[str, Any] = copy.deepcopy(saved["optimizer"])
    saved["optimizer"] = own
    return own


def _moments(saved: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns each param's moments, in a copy of the optimizer's part."""
    return list(_own_optimizer(saved)["optimizer"]["state"].values())


def _count_updates_from_load(saved: dict[str, Any], state: Any) -> None:
    del state
    for moments in _moments(saved):
        moments["step"] -= _LOADED


def _empty_second_moment(saved: dict[str, Any], state: Any) -> None:
    del state
    for moments in _moments(saved):
        moments["exp_avg_sq"].zero_()


def _round_main_params(saved: dict[str, Any], state: Any) -> None:
    del state
    for group in _own_optimizer(saved)["fp32_from_fp16_params"]:
        for param in group:
            param.copy_(param.bfloat16().float())


def _save_other_epsilon(saved: dict[str, Any], state: Any) -> None:
    del state
    for group in _own_optimizer(saved)["optimizer"]["param_groups"]:
        group["eps"] *= 10


def _swap_chunks(saved: dict[str, Any], state: Any) -> None:
    del state
    saved["model0"], saved["model1"] = saved["model1"], saved["model0"]


def _draw_before_saving(saved: dict[str, Any], state: Any) -> None:
    del state
    from regress.trainer import training_state

    before = torch.get_rng_state()
    torch.rand(1)
    saved["rng_state"] = [training_state.get_streams()]
    torch.set_rng_state(before)


def _label_as_loaded(saved: dict[str, Any], state: Any) -> None:
    del state
    saved["iteration"] = _LOADED


def _commit(change: Callable[..., None]) -> instrumentation.Install:
    """Does something else where the last checkpoint is committed."""

    def wrapper(original: Any) -> Any:
        @functools.wraps(original)
        def commit(checkpoints: Any, complete: Any) -> None:
            if complete.iteration == _LAST:
                change(original, checkpoints, complete)
            else:
                original(checkpoints, complete)

        return commit

    return instrumentation.wrapped(hooks.COMMIT, wrapper)


def _delete_newest(original: Any, checkpoints: Any, complete: Any) -> None:
    original(checkpoints, complete)
    shutil.rmtree(layout.folder(checkpoints.directory, complete.iteration))


def _delete_others(original: Any, checkpoints: Any, complete: Any) -> None:
    original(checkpoints, complete)
    shutil.rmtree(layout.folder(checkpoints.directory, _LOADED))


def _leave_tracker(original: Any, checkpoints: Any, complete: Any) -> None:
    path = checkpoints.directory / layout.TRACKER
    before = path.read_bytes()
    original(checkpoints, complete)
    path.write_bytes(before)


def _tear_after_commit(original: Any, checkpoints: Any, complete: Any) -> None:
    original(checkpoints, complete)
    path = checkpoints.path(complete.iteration)
    path.write_bytes(path.read_bytes()[:-1])


def _load_first_checkpoint(original: Any) -> Any:
    def look(checkpoints: Any) -> Any:
        return dataclasses.replace(original(checkpoints), iteration=_LOADED)

    return look


def _keep_schedule(saved: dict[str, Any], state: Any) -> None:
    saved["opt_param_scheduler"] = copy.deepcopy(state.scheduler.state_dict())


def _kill_again(case: case_pb2.Case) -> None:
    """Adds an interruption of attempt 1, after its save of iteration 6."""
    case.interruption.add(
        iteration=7, phase=case_pb2.FORWARD, signal=case_pb2.SIGKILL
    )


def _launch_again(case: case_pb2.Case) -> None:
    case.relaunch_finished = True


def _train_last_again(saved: dict[str, Any], state: Any) -> None:
    del saved
    state.iteration -= 1


def _write_last_again() -> instrumentation.Install:
    """Writes the checkpoint that was loaded anew, and reports nothing."""
    seen: list[Any] = []

    def look(original: Any) -> Any:
        def remember(checkpoints: Any) -> Any:
            seen.append(checkpoints)
            return original(checkpoints)

        return remember

    def write(saved: dict[str, Any], state: Any) -> None:
        del saved
        seen[-1].save(state, lambda: None)

    return instrumentation.both(
        instrumentation.wrapped(hooks.LOOK, look),
        instrumentation.after_restore(write),
    )


def _in_attempt(
    attempt: int, case: Callable[[case_pb2.Case], None]
) -> Callable[..., fault.Fault]:
    """Makes faults of one attempt of a case that is changed to have it."""

    def make(
        name: str,
        what: str,
        change: instrumentation.Install,
        expected: fault.Expected,
    ) -> fault.Fault:
        return fault.Fault(
            name,
            "thought of",
            what,
            fault.Injection(
                trainer=change, faulty_attempts=(attempt,), case=case
            ),
            expected,
        )

    return make


_when_launched_again = _in_attempt(fault.RELAUNCH, _launch_again)
_in_second_resume = _in_attempt(2, _kill_again)


def _not_saved(
    subject: str, ranks: tuple[int, ...], summary: str = ""
) -> fault.Expected:
    """Expects that the read-back has another state than was saved."""
    return fault.Expected(
        "NOT_SAVED",
        subject,
        attempt=2,
        ranks=ranks,
        after=_LAST,
        summary=summary,
    )


def _of_disk(subject: str, after: int | None = None) -> fault.Expected:
    """Expects that the checkpoint directory is not what it has to be."""
    return fault.Expected("NOT_SAVED", subject, attempt=None, after=after)


def _at_save(
    name: str,
    reference: str,
    what: str,
    change: instrumentation.Install,
    expected: fault.Expected,
) -> fault.Fault:
    return fault.Fault(
        name, reference, what, fault.Injection(trainer=change), expected
    )


FAULTS = (
    _at_save(
        "second_save_holds_first_tensors",
        "NeMo-RL #3312, #4183",
        "From a process's second save on, the file holds the tensors of the "
        "first.",
        _from_second_save(_keep_tensors),
        _not_saved(r"chunk 0/param/.*", (0,), "is of iteration 6"),
    ),
    _at_save(
        "samples_counted_from_the_load",
        "KempnerForge #57",
        "The data position is saved relative to the load.",
        instrumentation.at_save(_count_samples_from_load),
        _not_saved("consumed samples", (0,)),
    ),
    _at_save(
        "newest_checkpoint_deleted",
        "open-instruct #541",
        "Retention deletes the newest checkpoint after a resume.",
        _commit(_delete_newest),
        _of_disk("checkpoints on the disk"),
    ),
    _at_save(
        "schedule_counted_from_the_load",
        "thought of",
        "The scheduler's position is saved relative to the load.",
        instrumentation.at_save(_count_schedule_from_load),
        _not_saved("scheduler/num_steps", (0,)),
    ),
    _at_save(
        "updates_counted_from_the_load",
        "thought of",
        "Adam's step counters are saved relative to the load.",
        instrumentation.at_save(_count_updates_from_load),
        _not_saved(r"chunk 0/step/.*", (0,)),
    ),
    _at_save(
        "second_moment_saved_empty",
        "thought of",
        "A resumed rank saves the second moments as zeros.",
        instrumentation.at_save(_empty_second_moment),
        _not_saved(r"chunk 0/exp_avg_sq/.*", (0,)),
    ),
    _at_save(
        "moments_of_first_save",
        "thought of",
        "From a process's second save on, the optimizer's part is the first's.",
        _from_second_save(_keep("optimizer")),
        _not_saved(r"chunk 0/main param/.*|param group .*", (0,)),
    ),
    _at_save(
        "main_params_saved_rounded",
        "thought of",
        "Rank 2 saves its main params as rounded to bfloat16.",
        instrumentation.at_save(instrumentation.on_rank(2, _round_main_params)),
        _not_saved(r"chunk 0/main param/.*", (2,)),
    ),
    _at_save(
        "epsilon_saved_wrong",
        "thought of",
        "A resumed rank saves ten times Adam's epsilon.",
        instrumentation.at_save(_save_other_epsilon),
        _not_saved(r"param group .*/eps", (0,)),
    ),
    _at_save(
        "schedule_of_first_save",
        "thought of",
        "From a process's second save on, the scheduler's part is the first's.",
        _from_second_save(_keep("opt_param_scheduler")),
        _not_saved("scheduler/num_steps", (0,)),
    ),
    _at_save(
        "streams_of_first_save",
        "thought of",
        "From a process's second save on, the random streams are the first's.",
        _from_second_save(_keep("rng_state")),
        _not_saved(r"rng/.*", (0,), "is of iteration 6"),
    ),
    _at_save(
        "drawn_from_between_digest_and_save",
        "thought of",
        "Rank 1 draws a random number just before it saves its streams.",
        instrumentation.at_save(
            instrumentation.on_rank(1, _draw_before_saving)
        ),
        _not_saved(r"rng/torch_rng_state", (1,)),
    ),
    _at_save(
        "chunks_saved_swapped",
        "thought of",
        "Rank 1 saves its two model chunks under each other's names.",
        instrumentation.at_save(instrumentation.on_rank(1, _swap_chunks)),
        _not_saved(r"chunk 0/.*", (1,), "chunk 0 holds what chunk 1 saved"),
    ),
    _at_save(
        "label_of_the_load",
        "thought of",
        "A resumed rank labels its files with the iteration that it loaded.",
        instrumentation.at_save(_label_as_loaded),
        fault.Expected(
            "NOT_SAVED",
            "exit status",
            attempt=2,
            ranks=_ALL,
            summary="is of iteration 4; expected 8",
        ),
    ),
    _at_save(
        "older_checkpoint_deleted",
        "thought of",
        "A resumed job deletes the checkpoint that it began from.",
        _commit(_delete_others),
        _of_disk("checkpoints on the disk"),
    ),
    _at_save(
        "tracker_not_advanced",
        "thought of",
        "The tracker still names the checkpoint before the last.",
        _commit(_leave_tracker),
        _of_disk("iteration that the tracker names"),
    ),
    _at_save(
        "last_checkpoint_damaged",
        "thought of",
        "Rank 0's file loses its last byte after the manifest is written.",
        _commit(_tear_after_commit),
        _of_disk(r"bytes of mp_rank_00_000/model_optim_rng\.pt", _LAST),
    ),
    _in_second_resume(
        "second_resume_starts_schedule_over",
        "Only the second resume does not restore the scheduler.",
        instrumentation.before_restore(_keep_schedule),
        fault.Expected(
            "RESUME_DIVERGENCE",
            "scheduler/num_steps",
            attempt=2,
            ranks=(0,),
            iteration=6,
        ),
    ),
    _in_second_resume(
        "second_resume_from_first_checkpoint",
        "The second resume loads what attempt 0 saved, not what attempt 1 did.",
        instrumentation.wrapped(hooks.LOOK, _load_first_checkpoint),
        fault.Expected(
            "NOT_RESUMED", "checkpoint loaded", attempt=2, ranks=(0,)
        ),
    ),
    _when_launched_again(
        "finished_job_trains_on",
        "A finished job that is launched again trains its last iteration anew.",
        instrumentation.after_restore(_train_last_again),
        fault.Expected(
            "NOT_RESUMED",
            "iterations trained",
            attempt=3,
            ranks=(0,),
            summary="^a job that had finished was launched again",
        ),
    ),
    _when_launched_again(
        "finished_job_saves_again",
        "A finished job that is launched again rewrites its last checkpoint.",
        _write_last_again(),
        fault.Expected(
            "NOT_RESUMED",
            r"time of writing of mp_rank_00_000/model_optim_rng\.pt of "
            "iteration 8, in ns",
            attempt=3,
            summary="^a job that had finished was launched again",
        ),
    ),
)

IMPOSSIBLE: tuple[fault.Impossible, ...] = ()
