"""The clients: training scripts of unmodified frameworks, in examples/.

Each row is a case, and the verdict on it with the pinned releases. A release
that does better, or worse, fails the row's test; so the page stays true.
"""

import dataclasses
import pathlib

from regress.case import case_pb2
from regress.oracle import verdict_pb2

_EXAMPLES = pathlib.PurePath("examples")

_PASS = verdict_pb2.Verdict.PASS
_DIVERGES = verdict_pb2.Verdict.RESUME_DIVERGENCE


@dataclasses.dataclass(frozen=True)
class Row:
    """One case of a client, and what is true of it today.

    Attributes:
        case: The name of its textproto.
        how: What the script does, and where the checkpoint lies that the resume
            takes.
        conclusion: The verdict on it.
        lost: What the resume does not restore, in a reader's words.
        issue: Where this is reported, as "owner/name #1".
        unnamed: The kinds of state that no name in the checkpoint sounds like,
            as the verdict at depth 1 must say.
        first: What the first finding at depth 2 must be about.
        at_once: Whether what is lost shows in the first iteration of the
            resume.
        by_chance: Verdicts of other runs, as the client leaves to chance in
            which part of a step it saves.
    """

    case: str
    how: str
    conclusion: verdict_pb2.Verdict.Conclusion = _PASS
    lost: str = ""
    issue: str = ""
    unnamed: tuple[verdict_pb2.Clue.StateKind, ...] = ()
    first: str = ""
    at_once: bool = True
    by_chance: tuple[verdict_pb2.Verdict.Conclusion, ...] = ()


@dataclasses.dataclass(frozen=True)
class Client:
    """A framework, and a script that uses it.

    Attributes:
        name: The framework, in a reader's words.
        folder: The script's folder in examples/.
        distribution: What its release is the release of.
        rows: Its cases.
    """

    name: str
    folder: str
    distribution: str
    rows: tuple[Row, ...]

    def path(self, row: Row) -> pathlib.PurePath:
        """Returns the path of a row's case in the workspace."""
        return _EXAMPLES / self.folder / f"{row.case}.textproto"


_STREAM = "the stream of dropout"
_DATA = "the position in the data"

# In place of an issue.
_NOWHERE = "nowhere that we found"

# Findings at depth 2.
_WRONG_LOSS = "loss of the backward pass"
_WRONG_BATCH = "batch"
_WRONG_STREAM = "random stream of torch"


def _sums_otherwise(case: str, how: str) -> Row:
    """Returns a row of DistributedDataParallel on three ranks or more."""
    return Row(
        case,
        how,
        _DIVERGES,
        "the order in which gradients are summed: the first step of a process "
        "has other buckets than those after it",
        _NOWHERE,
        first=_WRONG_LOSS,
        at_once=False,
    )


CLIENTS = (
    Client(
        name="torchrun, DistributedDataParallel",
        folder="torchrun",
        distribution="torch",
        rows=(
            Row("exact", "saves all of its state"),
            _sums_otherwise(
                "order_of_sums",
                "the same, with DistributedDataParallel as it is by default",
            ),
            Row(
                "forgetful",
                "has a bug",
                _DIVERGES,
                _DATA,
                "no bug but the script's",
                (verdict_pb2.Clue.DATA_POSITION,),
                first=_WRONG_BATCH,
            ),
        ),
    ),
    Client(
        name="torchrun, FSDP2 and torch.distributed.checkpoint",
        folder="fsdp",
        distribution="torch",
        rows=(
            Row("exact", "fully_shard(), get_state_dict() and save()"),
            Row("async_save", "the same, with async_save()"),
        ),
    ),
    Client(
        name="Lightning, Trainer",
        folder="lightning",
        distribution="lightning",
        rows=(
            Row(
                "mid_epoch",
                'ckpt_path="last", saved in mid-epoch',
                _DIVERGES,
                f"{_DATA}: the epoch begins anew, and ends as soon as it had; "
                f"{_STREAM}",
                "Lightning-AI/pytorch-lightning #19764, #17543",
                (verdict_pb2.Clue.RANDOM_STREAMS,),
                first=_WRONG_STREAM,
            ),
            Row(
                "epoch_end",
                "the same, saved at the end of an epoch",
                _DIVERGES,
                _STREAM,
                "Lightning-AI/pytorch-lightning #17543",
                (verdict_pb2.Clue.RANDOM_STREAMS,),
                first=_WRONG_STREAM,
            ),
            Row(
                "mid_epoch_resumable",
                "with a loader that has a state, and a callback that saves the "
                "streams of all ranks; saved in mid-epoch",
                _DIVERGES,
                f"{_DATA}: the loader's state is not loaded if "
                "estimated_stepping_batches was asked for",
                "Lightning-AI/pytorch-lightning #20550",
                first=_WRONG_BATCH,
            ),
            Row(
                "mid_epoch_exact",
                "the same, and the script counts the steps itself",
            ),
            Row("epoch_end_exact", "the same, saved at the end of an epoch"),
            _sums_otherwise(
                "four_ranks",
                "as in mid_epoch_exact, with four ranks",
            ),
            Row(
                "four_ranks_exact",
                'the same, with strategy="ddp_find_unused_parameters_true"',
            ),
        ),
    ),
    Client(
        name="Hugging Face, Trainer",
        folder="hugging_face",
        distribution="transformers",
        rows=(
            Row("mid_epoch", "resume_from_checkpoint, saved in mid-epoch"),
            Row("epoch_end", "the same, saved at the end of an epoch"),
            Row(
                "mid_epoch_augmented",
                "saved in mid-epoch, and the data set draws random numbers",
                _DIVERGES,
                "the stream as the first batch found it: it is restored after "
                "that batch was fetched",
                "huggingface/transformers #39215",
                first=_WRONG_STREAM,
            ),
            Row(
                "sigterm",
                "enable_jit_checkpoint, which saves 3 s after SIGTERM, in "
                "whatever part of a step that is",
                _DIVERGES,
                f"{_STREAM}, if it is saved between a step's forward pass and "
                "its update, as the resume repeats the step; between two steps "
                "it is exact",
                _NOWHERE,
                first=_WRONG_STREAM,
                by_chance=(_PASS,),
            ),
        ),
    ),
    Client(
        name="Accelerate",
        folder="accelerate",
        distribution="accelerate",
        rows=(
            Row(
                "mid_epoch",
                "save_state(), load_state() and skip_first_batches(), saved in "
                "mid-epoch",
                _DIVERGES,
                f"the order of the data: that of the next epoch is taken; "
                f"{_STREAM}",
                "huggingface/accelerate #2823",
                (verdict_pb2.Clue.DATA_POSITION,),
                first=_WRONG_STREAM,
            ),
            Row(
                "epoch_end",
                "the same, saved at the end of an epoch",
                _DIVERGES,
                "the order of the data: that of the first epoch is taken",
                "huggingface/accelerate #3996",
                (verdict_pb2.Clue.DATA_POSITION,),
                first=_WRONG_BATCH,
            ),
            Row(
                "mid_epoch_seedable",
                "use_seedable_sampler and set_epoch(), saved in mid-epoch",
                _DIVERGES,
                f"{_STREAM}: the iterator, made after load_state(), draws a "
                "number from it",
                _NOWHERE,
                # It is not there, either, but can be told without it.
                (verdict_pb2.Clue.DATA_POSITION,),
                first=_WRONG_STREAM,
            ),
            Row(
                "epoch_end_seedable",
                "the same, saved at the end of an epoch",
            ),
            Row(
                "mid_epoch_exact",
                "the same, saved in mid-epoch, and the loader has a generator "
                "of its own",
            ),
        ),
    ),
)


def find(case: str) -> Row:
    """Returns the row of a case.

    Args:
        case: The path of its textproto in the workspace.
    """
    (found,) = (
        row
        for client in CLIENTS
        for row in client.rows
        if str(client.path(row)) == case
    )
    return found


def interruptions(case: case_pb2.CommandCase) -> str:
    """Returns what interrupts a case, in words."""
    return ", ".join(
        f"{case_pb2.Signal.Name(one.signal)} at {one.iteration}"
        for one in case.interruption
    )
