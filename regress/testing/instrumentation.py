"""Where faults take hold of the trainer: its hooks, and its disk.

Each function returns what puts the change in place, to be called in the process
of a rank before it trains. The process ends with the rank, so no change is ever
taken back.

What megatron-core does has no hooks, and is replaced by name. It is imported
when it is replaced: the catalogue is also read where nothing is trained.
"""

import functools
import importlib
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from absl import flags

from regress.checkpoint import durable
from regress.trainer import hooks

if TYPE_CHECKING:
    from regress.trainer import training_state

_T = TypeVar("_T")

Install = Callable[[], None]
Change = Callable[["training_state.TrainingState"], None]
# What the rank's checkpoint file holds, and the state to restore from it.
ChangeSaved = Callable[[dict[str, Any], "training_state.TrainingState"], None]
# The iteration that is about to run comes second.
ChangeStep = Callable[["training_state.TrainingState", int], None]


def flag(module: str, argument: str = "", *, early: bool = False) -> str:
    """The flag of the instrumented trainer that names what it installs.

    Args:
        module: Has a function `install`, and if it is early, `install_early`.
        argument: What these are called with.
        early: Whether the module is also to act before torch is imported.
    """
    return f"--install{'_early' if early else ''}={module}:{argument}"


def rank() -> int:
    """This process's rank."""
    number: int = flags.FLAGS.rank
    return number


def on_rank(number: int, change: Callable[..., None]) -> Callable[..., None]:
    """Returns `change` that happens on one rank only."""

    @functools.wraps(change)
    def only_there(*args: Any) -> None:
        if rank() == number:
            change(*args)

    return only_there


def nothing(*args: Any, **kwargs: Any) -> None:
    """In place of a function that should have done something."""
    del args, kwargs


def wrapped(hook: hooks.Hook, wrapper: hooks.Wrapper) -> Install:
    """Wraps what the trainer does at one of its hooks."""
    return lambda: hook.wrap(wrapper)


def replaced(
    module: str, name: str, replacement: Callable[[Any], Any]
) -> Install:
    """Replaces a function of megatron-core.

    Args:
        module: Its module.
        name: Its name there; a method's with its class, as "Optimizer.step".
        replacement: Called with the function; returns what takes its place.
    """

    def install() -> None:
        owner: Any = importlib.import_module(module)
        *owners, last = name.split(".")
        for one in owners:
            owner = getattr(owner, one)
        setattr(owner, last, replacement(getattr(owner, last)))

    return install


def both(*installs: Install) -> Install:
    """Returns what puts several changes in place."""

    def install() -> None:
        for one in installs:
            one()

    return install


def after_build(change: Change) -> Install:
    """Changes the state when it is built, before anything is loaded."""

    def wrapper(original: Any) -> Any:
        def build(*args: Any) -> Any:
            state = original(*args)
            change(state)
            return state

        return build

    return wrapped(hooks.BUILD_STATE, wrapper)


def before_restore(change: ChangeSaved) -> Install:
    """Changes what was read from the checkpoint, before it is restored."""

    def wrapper(original: Any) -> Any:
        def restore(saved: dict[str, Any], state: Any) -> None:
            change(saved, state)
            original(saved, state)

        return restore

    return wrapped(hooks.RESTORE, wrapper)


def after_restore(change: ChangeSaved) -> Install:
    """Changes the restored state, before it is recorded as loaded."""

    def wrapper(original: Any) -> Any:
        def restore(saved: dict[str, Any], state: Any) -> None:
            original(saved, state)
            change(saved, state)

        return restore

    return wrapped(hooks.RESTORE, wrapper)


def before_step(change: ChangeStep) -> Install:
    """Does something before each step, so after the load was recorded."""

    def wrapper(original: Any) -> Any:
        def run(stepper: Any) -> Any:
            change(stepper.state, stepper.state.iteration + 1)
            return original(stepper)

        return run

    return wrapped(hooks.STEP, wrapper)


def before_first_step(change: Change) -> Install:
    """Does something once, after the load was recorded."""
    seen: list[int] = []

    def change_once(
        state: "training_state.TrainingState", iteration: int
    ) -> None:
        if not seen:
            seen.append(iteration)
            change(state)

    return before_step(change_once)


def with_disk(change: Callable[[durable.Disk], durable.Disk]) -> Install:
    """Changes the disk that checkpoints are written to."""
    return wrapped(
        hooks.OPEN_DISK, lambda open_disk: lambda: change(open_disk())
    )


class WrappedDisk(durable.Disk):
    """Does everything on another disk; a subclass does something besides.

    Attributes:
        disk: The other.
    """

    def __init__(self, disk: durable.Disk) -> None:
        """Wraps a disk of which no file is open."""
        self.disk = disk
        self._paths: dict[int, pathlib.Path] = {}

    def around(
        self, kind: str, path: pathlib.Path, step: Callable[[], _T]
    ) -> _T:
        """Does one step of writing: everything but closing a file.

        Args:
            kind: A method of `durable.Disk`.
            path: What it is done to; of a rename, the old path.
            step: Does it.
        """
        del kind, path
        return step()

    def create(self, path: pathlib.Path) -> int:
        """As a Disk does."""
        fd = self.around("create", path, lambda: self.disk.create(path))
        self._paths[fd] = path
        return fd

    def write(self, fd: int, data: memoryview) -> int:
        """As a Disk does."""
        return self.around(
            "write", self._paths[fd], lambda: self.disk.write(fd, data)
        )

    def flush(self, fd: int) -> None:
        """As a Disk does."""
        self.around("flush", self._paths[fd], lambda: self.disk.flush(fd))

    def close(self, fd: int) -> None:
        """As a Disk does."""
        self.disk.close(fd)

    def rename(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """As a Disk does."""
        self.around("rename", source, lambda: self.disk.rename(source, target))

    def make_folder(self, path: pathlib.Path) -> bool:
        """As a Disk does."""
        return self.around(
            "make_folder", path, lambda: self.disk.make_folder(path)
        )

    def flush_folder(self, path: pathlib.Path) -> None:
        """As a Disk does."""
        self.around("flush_folder", path, lambda: self.disk.flush_folder(path))

    def delete_folder(self, path: pathlib.Path) -> None:
        """As a Disk does."""
        self.around(
            "delete_folder", path, lambda: self.disk.delete_folder(path)
        )
