"""Collects what a rank does in a step, and tells the supervisor.

What belongs to a step is collected until an optimizer has stepped, or until the
training program itself says that the step is over. Which iteration that is, is
known without any help of the program: a load gives the position at which the
same content was saved, and from there the steps of each optimizer are counted.
If it is not known what was loaded, an optimizer's state may say how many steps
it has made.

Nothing here knows torch: see torch_hooks.py.
"""

import collections
import dataclasses
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from regress.client import channel as channel_lib
from regress.client import state_digest

# The phases of a step, as a case names them.
FORWARD = "FORWARD"
BACKWARD = "BACKWARD"
OPTIMIZER_STEP = "OPTIMIZER_STEP"
CHECKPOINT_WRITE = "CHECKPOINT_WRITE"
BETWEEN_STEPS = "BETWEEN_STEPS"

# A number that is being computed elsewhere: returns it once it is there.
Later = Callable[[], Any]


@dataclasses.dataclass
class _Step:
    """What was collected of a step.

    Attributes:
        streams: Digests of the random streams as it began, by name.
        batches: A digest for each microbatch, or whatever it comes from.
        losses: What each backward pass started from.
    """

    streams: Mapping[str, str] = dataclasses.field(default_factory=dict)
    batches: list[Later] = dataclasses.field(default_factory=list)
    losses: list[Later] = dataclasses.field(default_factory=list)


class Observer:
    """What this process knows of its training.

    Attributes:
        by_hand: Whether the training program itself says when a step is over
            and what it saves and loads.
    """

    def __init__(self, rank: Callable[[], int | None]) -> None:
        """Tells nothing yet.

        Args:
            rank: Returns the rank, or None if this process is none. Called
                once, when there is something to tell.
        """
        self._rank = rank
        self._channel: channel_lib.Channel | None = None
        self.by_hand = False
        self._step = _Step()
        # Complete events, but for numbers that are being computed.
        self._due: list[Callable[[], Mapping[str, Any]]] = []
        # By optimizer, in the order in which they are made: the steps before
        # this process, and by it.
        self._before: dict[int, int] = {}
        self._made = collections.Counter[int]()
        self._optimizers: weakref.WeakKeyDictionary[Any, int] = (
            weakref.WeakKeyDictionary()
        )
        # What the state of an optimizer counts of steps that were none.
        self._uncounted: dict[int, int] = {}
        self._known = 0
        # If the program says the iterations, the last one that it completed.
        self._said = 0
        # Whether the state is to be digested as the next step begins, and after
        # which iterations in any case.
        self._wants_state = False
        self._digest_after = channel_lib.numbers(
            os.environ.get(channel_lib.DIGEST_AFTER, "")
        )
        at, _, self._hold_phase = os.environ.get(
            channel_lib.HOLD_AT, ""
        ).partition(":")
        self._hold_at = int(at) if at.isdecimal() else 0

    @property
    def completed(self) -> int:
        """The last iteration that was completed."""
        if self.by_hand:
            return self._said
        return self._before.get(0, 0) + self._made[0]

    @property
    def listened_to(self) -> bool:
        """Whether this process is a rank of which somebody wants to know."""
        return self._open().is_open

    def begin_step(
        self,
        batch: Later,
        state: Callable[[], Mapping[str, Any]],
    ) -> None:
        """A forward pass of training begins.

        Args:
            batch: Returns the digest of what it computes from.
            state: Returns the whole training state, if it is wanted.
        """
        first = not self._step.batches
        if first:
            self._step.streams = state_digest.random_streams()
        self._step.batches.append(batch)
        if not first:
            return
        if self._wants_state or self.completed in self._digest_after:
            self._wants_state = False
            self._tell_state("continued", self.completed, "", state())

    def begin_backward(self, losses: Iterable[Later]) -> None:
        """A backward pass begins, from numbers."""
        self._step.losses.extend(losses)

    def end_update(
        self,
        optimizer: Any,
        groups: Callable[[], Sequence[Mapping[str, Any]]],
        counted: Callable[[], int | None],
    ) -> None:
        """An optimizer has stepped.

        A step with rates of zero, and nothing before it to learn from, trains
        nothing: torch's get_state_dict() has the state made so.

        Args:
            optimizer: The optimizer.
            groups: Returns the rates of each param group.
            counted: Returns how many steps its own state counts; None if it
                does not. A GPU may have to be waited for, so it is called once.
        """
        index = self._index(optimizer)
        rates = groups()
        learned = self._step.batches or self._step.losses
        idle = {float(one.get("learning rate", 1)) for one in rates} == {0}
        if idle and not learned:
            if index not in self._before and not self._made[index]:
                self._uncounted[index] = counted() or 0
            return
        self._made[index] += 1
        if index not in self._before:
            self._before[index] = self._steps_before(index, counted()) or 0
        if self.by_hand:
            return
        step = self._take_step()
        iteration = self._before[index] + self._made[index]
        self._finish(
            lambda: _event(step, iteration, optimizer=index, groups=rates)
        )
        if index == 0:
            self._open().progress(iteration)

    def know(self, optimizer: Any) -> None:
        """An optimizer is made."""
        self._index(optimizer)

    def expect_position(
        self, optimizer: Any, counted: Callable[[], int | None]
    ) -> None:
        """An optimizer that has not stepped here may count steps already."""
        index = self._index(optimizer)
        if self._made[index] or index in self._before:
            return
        before = self._steps_before(index, counted())
        if before is not None:
            self._before[index] = before

    def _steps_before(self, index: int, counted: int | None) -> int | None:
        """Returns how many steps were made before this process.

        Args:
            index: Of which optimizer.
            counted: How many its own state counts; None if it does not.
        """
        if counted is None:
            return None
        before = max(0, counted - self._made[index])
        # If it was loaded since then, it does not count them.
        return 0 if before == self._uncounted.get(index) else before

    def end_step(self, iteration: int, metrics: Mapping[str, Any]) -> None:
        """The training program says that it has completed an iteration."""
        self._said = iteration
        step = self._take_step()
        texts = {name: _number(value) for name, value in metrics.items()}
        self._finish(lambda: _event(step, iteration, metrics=texts))
        self._open().progress(iteration)

    def save(self, path: str, state: Any, iteration: int | None = None) -> None:
        """A state is about to be saved.

        Args:
            path: Where to; "" if that is not known.
            state: The state.
            iteration: The iteration, if the training program says it.
        """
        if not self.listened_to:
            return
        at = self.completed if iteration is None else iteration
        entries = self._tell_state("saved", at, path, state)
        if iteration is None:
            self._open().remember_save(
                {
                    "fold": state_digest.fold(entries),
                    "path": path,
                    "made": {
                        str(index): self._before.get(index, 0) + made
                        for index, made in self._made.items()
                    },
                }
            )

    def load(self, path: str, state: Any, iteration: int | None = None) -> None:
        """A state was loaded; arguments as in `save`."""
        if not self.listened_to:
            return
        entries = state_digest.digest(state)
        at = iteration
        if iteration is None:
            at = self._find_position(path, state_digest.fold(entries))
        elif not self._said:
            self._said = iteration
        self._tell_entries("loaded", at, path, entries)
        self._wants_state = True

    def hold(self, phase: str) -> None:
        """Holds still if the case interrupts here."""
        if not self._holds(phase):
            return
        at, self._hold_at = self._hold_at, 0
        self.flush()
        self._open().hold(at, phase)

    def holds_save(self) -> bool:
        """Whether the case interrupts within the save that is about to be."""
        return self._holds(CHECKPOINT_WRITE)

    def _holds(self, phase: str) -> bool:
        # These come when the iteration is complete.
        after = phase in (CHECKPOINT_WRITE, BETWEEN_STEPS) or (
            phase == OPTIMIZER_STEP and not self.by_hand
        )
        current = self.completed + (not after)
        return (
            0 < self._hold_at <= current
            and phase == self._hold_phase
            and self.listened_to
        )

    def say(self, kind: str, text: str) -> None:
        """Tells something in words."""
        self._open().write({"kind": kind, "text": text})

    def flush(self) -> None:
        """Tells all that is complete; waits for numbers that are computed."""
        due, self._due = self._due, []
        for one in due:
            self._open().write(one())

    def finish(self) -> None:
        """The training program says that nothing is left to train."""
        self.flush()
        self._open().write({"kind": "finished", "iteration": self.completed})

    def stop(self) -> None:
        """Tells nothing from now on."""
        self._due = []
        self._open().close()

    def _take_step(self) -> _Step:
        step, self._step = self._step, _Step()
        if not step.streams:
            step.streams = state_digest.random_streams()
        return step

    def _finish(self, event: Callable[[], Mapping[str, Any]]) -> None:
        """Tells of the step before, whose numbers are there by now."""
        self.flush()
        self._due.append(event)

    def _index(self, optimizer: Any) -> int:
        if optimizer not in self._optimizers:
            self._optimizers[optimizer] = self._known
            self._known += 1
        return self._optimizers[optimizer]

    def _find_position(self, path: str, fold: str) -> int | None:
        """Returns the iteration at which the content was saved, if any."""
        same = [one for one in self._open().saves() if one["fold"] == fold]
        same = [one for one in same if one["path"] == path] or same
        if not same:
            return None
        made: dict[int, int] = {
            int(index): at for index, at in same[-1]["made"].items()
        }
        for index, at in made.items():
            if not self._made[index]:
                self._before[index] = max(self._before.get(index, 0), at)
        return made.get(0, 0)

    def _tell_state(
        self, kind: str, iteration: int | None, path: str, state: Any
    ) -> list[state_digest.Entry]:
        entries = state_digest.digest(state)
        self._tell_entries(kind, iteration, path, entries)
        return entries

    def _tell_entries(
        self,
        kind: str,
        iteration: int | None,
        path: str,
        entries: list[state_digest.Entry],
    ) -> None:
        self.flush()
        self._open().write(
            {
                "kind": kind,
                "iteration": iteration,
                "path": path,
                "entries": entries,
            }
        )

    def _open(self) -> channel_lib.Channel:
        if self._channel is None:
            self._channel = channel_lib.Channel(self._rank())
        return self._channel


def _event(step: _Step, iteration: int, **more: Any) -> dict[str, Any]:
    return {
        "kind": "step",
        "iteration": iteration,
        "streams": step.streams,
        "batches": [one() for one in step.batches],
        "losses": [_number(one()) for one in step.losses],
        **more,
    }


def _number(value: Any) -> str:
    """Returns a number's text, from which its bits can be restored."""
    item = getattr(value, "item", None)
    return repr(item() if item is not None else value)


def _own_rank() -> int | None:
    """Returns this process's rank, or 0 if nothing says which it is.

    Returns None in a worker of a data loader.
    """
    data = sys.modules.get("torch.utils.data")
    if data is not None and data.get_worker_info() is not None:
        return None
    distributed = sys.modules.get("torch.distributed")
    if (
        distributed is not None
        and distributed.is_available()
        and distributed.is_initialized()
    ):
        return int(distributed.get_rank())
    return channel_lib.rank_by_environment(os.environ) or 0


# That of this process.
OBSERVER = Observer(_own_rank)
