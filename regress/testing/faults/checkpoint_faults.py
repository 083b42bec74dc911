"""Torn, missing and old checkpoints, and ranks that load the wrong one."""

import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import torch

from regress.case import case_pb2
from regress.checkpoint import layout, view
from regress.run import run_pb2
from regress.scenario import job_files
from regress.scenario import scenario as scenario_lib
from regress.supervisor import launcher as launcher_lib
from regress.testing import instrumentation
from regress.testing.faults import fault, rank_files, unprivileged
from regress.trainer import hooks

_LOADED = 4
_ALL = (0, 1, 2, 3)
_LARGE = 256 * 2**20
_WEIGHT = "decoder.layers.0.mlp.linear_fc1.weight"


def _tracker(content: bytes) -> rank_files.Edit:
    return lambda files: _write(files, content)


def _write(files: job_files.JobFiles, content: bytes) -> None:
    rank_files.tracker(files).write_bytes(content)


def _name_unfinished(files: job_files.JobFiles) -> None:
    """Leaves a save of iteration 6 in which two of four ranks wrote a file."""
    for rank in (0, 1):
        path = rank_files.path(files, rank, 6)
        path.parent.mkdir(parents=True)
        saved = rank_files.path(files, rank, _LOADED).read_bytes()
        path.write_bytes(saved)
    rank_files.edit(0, 6, lambda saved: saved.update(iteration=6))(files)
    rank_files.edit(1, 6, lambda saved: saved.update(iteration=6))(files)
    _write(files, b"6")


def _delete_tracker(files: job_files.JobFiles) -> None:
    rank_files.tracker(files).unlink()


def _delete_file(files: job_files.JobFiles) -> None:
    rank_files.path(files, 2, _LOADED).unlink()


def _truncate_file(files: job_files.JobFiles) -> None:
    path = rank_files.path(files, 2, _LOADED)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip_file_bit(files: job_files.JobFiles) -> None:
    path = rank_files.path(files, 2, _LOADED)
    weight = rank_files.read(path)["model1"][_WEIGHT]
    content = bytearray(path.read_bytes())
    start = content.index(weight.view(torch.uint8).numpy().tobytes())
    content[start + 100] ^= 1
    path.write_bytes(content)


def _flip_file_bit_and_list(files: job_files.JobFiles) -> None:
    _flip_file_bit(files)
    rank_files.list_again(files, _LOADED)


def _manifest(files: job_files.JobFiles) -> pathlib.Path:
    return layout.folder(files.checkpoints, _LOADED) / layout.MANIFEST


def _flip_file_bit_without_manifest(files: job_files.JobFiles) -> None:
    _flip_file_bit(files)
    _manifest(files).unlink()


def _truncate_manifest(files: job_files.JobFiles) -> None:
    path = _manifest(files)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _lock_file(files: job_files.JobFiles) -> None:
    rank_files.path(files, 2, _LOADED).chmod(0)


def _lock_next_folder(files: job_files.JobFiles) -> None:
    layout.folder(files.checkpoints, 6).mkdir(mode=0o555)


class _FullDisk(instrumentation.WrappedDisk):
    """Full on rank 2; /dev/full makes the kernel return ENOSPC."""

    def write(self, fd: int, data: memoryview) -> int:
        if instrumentation.rank() == 2:
            with open("/dev/full", "wb", buffering=0) as full:
                return full.write(data)
        return super().write(fd, data)


def _cannot_save(
    name: str,
    what: str,
    injection: fault.Injection,
    why: str,
    ranks: tuple[int, ...] = _ALL,
) -> fault.Fault:
    """Returns a fault that makes the save of iteration 6 fail, on some ranks.

    The checkpoint of iteration 4 remains.
    """
    return fault.Fault(
        name,
        "thought of",
        what,
        injection,
        fault.Expected(
            "CRASH",
            "exit status",
            ranks=ranks,
            iteration=7,
            summary=rf"cannot be written: {why}. The checkpoint before it is",
        ),
    )


def _lose_the_scheduler(saved: dict[str, Any]) -> None:
    del saved["opt_param_scheduler"]


def _save_a_list(files: job_files.JobFiles) -> None:
    torch.save([1, 2, 3], rank_files.path(files, 2, _LOADED))
    rank_files.list_again(files, _LOADED)


class _Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch payload_ran",)


def _plant_code(saved: dict[str, Any]) -> None:
    saved["args"] = _Payload()


def _lock_directory(files: job_files.JobFiles) -> None:
    files.checkpoints.chmod(0o555)


def _take_older_file(files: job_files.JobFiles) -> None:
    shutil.copy(
        rank_files.path(files, 2, 2), rank_files.path(files, 2, _LOADED)
    )


def _relabel(saved: dict[str, Any], other: dict[str, Any]) -> None:
    """Takes all but the iteration and the sample count from the other file."""
    own = {name: saved[name] for name in ("iteration", "args")}
    saved.clear()
    saved.update(other | own)


def _delete_checkpoint(files: job_files.JobFiles) -> None:
    shutil.rmtree(rank_files.path(files, 0, _LOADED).parent.parent)


def _find_older_on_rank_1(original: Any) -> Any:
    return lambda checkpoints: (
        view.View(iteration=2)
        if instrumentation.rank() == 1
        else original(checkpoints)
    )


def _believe_the_tracker(original: Any) -> Any:
    del original
    return lambda checkpoints: view.View(
        layout.read_tracker(checkpoints.directory)
    )


_RANK_1_FINDS_OLDER = instrumentation.wrapped(hooks.LOOK, _find_older_on_rank_1)
_TRACKER_BELIEVED = instrumentation.wrapped(hooks.LOOK, _believe_the_tracker)


def _ask_nobody(original: Any) -> Any:
    del original
    return lambda checkpoints, seen: (seen.iteration, [])


def _count(steps: int) -> instrumentation.ChangeSaved:
    def change(saved: dict[str, Any], state: Any) -> None:
        del saved
        state.iteration += steps

    return change


def _skip_first_save(original: Any) -> Any:
    def save(job: Any, state: Any) -> None:
        if state.iteration > 6:
            original(job, state)

    return save


def _end_early(state: Any, iteration: int) -> None:
    del state
    if iteration == 8:
        raise SystemExit(0)


def _take_checkpoints_of_another_seed(
    scenario: scenario_lib.Scenario,
    launcher: launcher_lib.Launcher,
    on_progress: scenario_lib.OnProgress,
) -> run_pb2.RunRecord:
    record = scenario.run_interrupted(launcher, on_progress)
    case = case_pb2.Case()
    case.CopyFrom(scenario.case)
    case.training.seed += 1
    other = scenario_lib.Scenario(
        case=case,
        hardware=scenario.hardware,
        files=job_files.JobFiles(
            scenario.files.work / "other_job",
            scenario.files.outputs / "other_job",
        ),
        bounds=scenario.bounds,
    )
    other.run_interrupted(launcher, on_progress)
    shutil.rmtree(scenario.files.checkpoints)
    other.files.checkpoints.rename(scenario.files.checkpoints)
    return record


def _keep_what_was_loaded(original: Any) -> Any:
    kept: list[Any] = []

    def read(*args: Any) -> Any:
        saved = original(*args)
        if instrumentation.rank() == 2:
            # A real checkpoint is large, unlike that of the catalogue's case.
            kept.extend((saved, b"\1" * _LARGE))
        return saved

    return read


def _bound_memory(case: case_pb2.Case) -> None:
    case.memory_growth_bound = 1.2


def _damaged(
    name: str,
    reference: str,
    what: str,
    disk: Callable[[job_files.JobFiles], None],
    summary: str,
    trainer: instrumentation.Install | None = None,
    ranks: tuple[int, ...] = _ALL,
) -> fault.Fault:
    """Returns a fault of a file, which ends all ranks.

    Unless only some `ranks` see it, all of them give up at once, and which one
    ends first is random.
    """
    return fault.Fault(
        name,
        reference,
        what,
        fault.Injection(disk=disk, trainer=trainer),
        fault.Expected(
            "DAMAGED_CHECKPOINT", "exit status", ranks=ranks, summary=summary
        ),
    )


_TRACKER = "tracker .*latest_checkpointed_iteration.txt holds "

FAULTS = (
    _damaged(
        "tracker_empty",
        "Megatron-LM (read: exit status 0)",
        "The tracker is empty after a crash in its write.",
        _tracker(b""),
        _TRACKER + "''",
    ),
    _damaged(
        "tracker_truncated",
        "Megatron-LM (read: exit status 0)",
        "The tracker has its full length, but a NUL byte for the number.",
        _tracker(b"\0"),
        _TRACKER + r"'\\x00'",
    ),
    _damaged(
        "tracker_not_a_number",
        "Megatron-LM (read: exit status 0)",
        "The tracker holds text that is not a number.",
        _tracker(b"iter_4"),
        _TRACKER + "'iter_4'",
    ),
    _damaged(
        "tracker_ahead",
        "Megatron-Bridge #3267, KempnerForge #102",
        "The tracker names a checkpoint that two ranks have not written.",
        _name_unfinished,
        r"has no file .*iter_0000006/mp_rank_00_00[23].*write 4 into",
    ),
    fault.Fault(
        "tracker_behind",
        "thought of",
        "The tracker names the checkpoint before the newest, and attempt 1 "
        "does not look for manifests.",
        fault.Injection(disk=_tracker(b"2"), trainer=_TRACKER_BELIEVED),
        fault.Expected("NOT_RESUMED", "checkpoint loaded", ranks=(0,)),
    ),
    fault.Fault(
        "tracker_missing_restart_at_0",
        "verl #7952",
        "The tracker is missing, and attempt 1, which does not look for "
        "manifests, silently trains from scratch.",
        fault.Injection(disk=_delete_tracker, trainer=_TRACKER_BELIEVED),
        fault.Expected(
            "NOT_RESUMED",
            "checkpoint loaded",
            ranks=(0,),
            summary="LOADED 4.*NONE_FOUND",
        ),
    ),
    _damaged(
        "rank_file_missing",
        "Lightning #688, #19970, Megatron-LM #1570",
        "The file of rank 2 is missing.",
        _delete_file,
        r"has no file .*mp_rank_00_002",
    ),
    _damaged(
        "rank_file_truncated",
        "Lightning #688, #19970, Megatron-LM #1570",
        "The file of rank 2 is cut in half.",
        _truncate_file,
        r"mp_rank_00_002\S* is damaged: it has \d+ bytes; expected \d+",
    ),
    _damaged(
        "rank_file_bit_flip",
        "Lightning #688, #19970, Megatron-LM #1570",
        "A bit of a weight in the file of rank 2 is flipped; torch.load does "
        "not check the sums that torch.save wrote.",
        _flip_file_bit,
        r"mp_rank_00_002\S* is damaged: its SHA-256 is",
    ),
    fault.Fault(
        "rank_file_bit_flip_unnoticed",
        "Lightning #688, #19970, Megatron-LM #1570",
        "The same, but the manifest matches the damaged file.",
        fault.Injection(disk=_flip_file_bit_and_list),
        fault.divergence(
            f"chunk 1/param/{_WEIGHT}",
            (2,),
            _LOADED,
            r"loaded state entries 1 differ.*param \(1\) on rank 2",
        ),
    ),
    _damaged(
        "bit_flip_without_manifest",
        "Lightning #688, #19970, Megatron-LM #1570",
        "A bit of a weight in the file of rank 2 is flipped, in a checkpoint "
        "of a tool that writes no manifest.",
        _flip_file_bit_without_manifest,
        r"mp_rank_00_002\S* is damaged: the sum of .* is wrong",
    ),
    _damaged(
        "manifest_damaged",
        "thought of",
        "The manifest is cut in half.",
        _truncate_manifest,
        r"manifest.json is damaged: it is not JSON",
    ),
    _damaged(
        "rank_file_of_older_iteration",
        "read",
        "The file of rank 2 is from the previous save.",
        _take_older_file,
        r"mp_rank_00_002\S* is damaged: its SHA-256 is",
    ),
    _damaged(
        "rank_file_lacks_a_key",
        "thought of",
        "The file of rank 2 has no scheduler; the manifest matches it.",
        rank_files.edit(2, _LOADED, _lose_the_scheduler),
        r"mp_rank_00_002\S* is damaged: it has no 'opt_param_scheduler'. "
        "Restore it, or remove .*iter_0000004 and write 2 into",
        ranks=(2,),
    ),
    _damaged(
        "rank_file_is_a_list",
        "thought of",
        "The file of rank 2 is a list; the manifest matches it.",
        _save_a_list,
        r"mp_rank_00_002\S* is damaged: it holds a list; expected a dict",
        ranks=(2,),
    ),
    _damaged(
        "rank_file_holds_code",
        "thought of",
        "The file of rank 2 runs a command when it is unpickled; the manifest "
        "matches it.",
        rank_files.edit(2, _LOADED, _plant_code),
        r"mp_rank_00_002\S* cannot be read: it holds posix.system; expected",
        ranks=(2,),
    ),
    fault.Fault(
        "rank_file_relabelled",
        "thought of",
        "The file of rank 2 is from the previous save, but claims not to be.",
        fault.Injection(
            disk=rank_files.mix(2, _LOADED, _relabel, other_iteration=2)
        ),
        # All of the rank's state is older; the step count is reported first.
        fault.divergence(
            "scheduler/num_steps",
            (2,),
            _LOADED,
            "what rank 2 loaded is of iteration 2",
        ),
    ),
    _damaged(
        "only_copy_deleted",
        "Megatron-Bridge #4678",
        "Retention deletes the newest checkpoint before the next is durable.",
        _delete_checkpoint,
        "has no file .*iter_0000004",
    ),
    _damaged(
        "rank_file_locked",
        "thought of",
        "The ranks may not read the file of rank 2.",
        _lock_file,
        r"mp_rank_00_002\S* cannot be read: Permission denied",
        trainer=unprivileged.drop,
    ),
    _cannot_save(
        "folder_locked",
        "The ranks may not write into the folder of iteration 6.",
        fault.Injection(disk=_lock_next_folder, trainer=unprivileged.drop),
        "Permission denied",
    ),
    fault.Fault(
        "checkpoints_locked",
        "thought of",
        "The ranks may read the checkpoints, but write none.",
        fault.Injection(disk=_lock_directory, trainer=unprivileged.drop),
        fault.Expected(
            "CRASH",
            "exit status",
            ranks=_ALL,
            iteration=5,
            summary="No checkpoint can be written to .*, so nothing is trained",
        ),
    ),
    _cannot_save(
        "disk_full",
        "The disk is full when rank 2 writes its file of iteration 6.",
        fault.Injection(trainer=instrumentation.with_disk(_FullDisk)),
        "No space left on device",
        ranks=(2,),
    ),
    fault.Fault(
        "ranks_disagree_on_iteration",
        "KempnerForge #50",
        "Rank 1 sees an older newest checkpoint than the others.",
        fault.Injection(trainer=_RANK_1_FINDS_OLDER),
        fault.Expected(
            "DAMAGED_CHECKPOINT",
            "exit status",
            ranks=_ALL,
            summary="rank 0: 4, rank 1: 2, rank 2: 4, rank 3: 4",
        ),
    ),
    fault.Fault(
        "ranks_disagree_unnoticed",
        "KempnerForge #50",
        "Rank 1 takes an older checkpoint than the others, and nobody asks.",
        fault.Injection(
            trainer=instrumentation.both(
                _RANK_1_FINDS_OLDER,
                instrumentation.wrapped(hooks.AGREE, _ask_nobody),
            )
        ),
        fault.Expected(
            "NOT_RESUMED",
            "checkpoint loaded",
            ranks=(1,),
            summary="LOADED 4.*LOADED 2",
        ),
    ),
    fault.Fault(
        "checkpoint_of_another_run",
        "thought of",
        "The checkpoint is from a run with another seed.",
        fault.Injection(first_attempt=_take_checkpoints_of_another_seed),
        fault.divergence(r"chunk 0/param/.*", (0,), _LOADED),
    ),
    fault.Fault(
        "step_skipped",
        "thought of",
        "The restored iteration is one too high: a step is skipped.",
        fault.Injection(trainer=instrumentation.after_restore(_count(1))),
        fault.Expected(
            "NOT_RESUMED",
            "step",
            ranks=(0,),
            iteration=5,
            summary="^a resume did not continue where it had to",
        ),
    ),
    fault.Fault(
        "step_repeated",
        "thought of",
        "The restored iteration is one too low: a step runs twice.",
        fault.Injection(trainer=instrumentation.after_restore(_count(-1))),
        fault.Expected("NOT_RESUMED", "step", ranks=(0,), iteration=4),
    ),
    fault.Fault(
        "finished_early",
        "thought of",
        "Attempt 1 exits with status 0 before its last step.",
        fault.Injection(trainer=instrumentation.before_step(_end_early)),
        fault.Expected(
            "NOT_RESUMED",
            "step",
            ranks=(0,),
            iteration=8,
            summary="^a resume continued where it had to, and ended early",
        ),
    ),
    fault.Fault(
        "save_skipped_after_resume",
        "thought of",
        "Attempt 1 skips its first save.",
        fault.Injection(
            trainer=instrumentation.wrapped(hooks.SAVE, _skip_first_save)
        ),
        fault.Expected(
            "NOT_RESUMED",
            "checkpoints written",
            ranks=(0,),
            summary="^a resume began where it had to",
        ),
    ),
    fault.Fault(
        "loaded_checkpoint_kept",
        "thought of",
        "Rank 2 of attempt 1 keeps the checkpoint that it loaded in memory.",
        fault.Injection(
            trainer=instrumentation.wrapped(
                hooks.READ_CHECKPOINT, _keep_what_was_loaded
            ),
            case=_bound_memory,
        ),
        fault.Expected("PASS", "", ranks=(2,)),
    ),
)

IMPOSSIBLE: tuple[fault.Impossible, ...] = ()
