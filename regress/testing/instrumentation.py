"""Changes to the trainer, through its hooks and its disk, to inject faults.

Each function returns an `Install`, which makes the change when it is called in
a rank's process before training. The process ends with the rank, so changes
are never undone.

megatron-core has no hooks, so its functions are replaced by name. It is
imported only when a function is replaced, since the fault catalogue is also
read without training.
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
# Takes the content of the rank's checkpoint file, and the state that is
# restored from it.
ChangeSaved = Callable[[dict[str, Any], "training_state.TrainingState"], None]
# Takes the state, and the iteration that is about to run.
ChangeStep = Callable[["training_state.TrainingState", int], None]


def flag(module: str, argument: str = "", *, early: bool = False) -> str:
    """Returns the instrumented trainer's flag that installs a module.

    Args:
        module: A module with a function `install`, and with `install_early` if
            `early` is set.
        argument: The argument of these functions.
        early: Whether to call `install_early` before torch is imported.
    """
    return f"--install{'_early' if early else ''}={module}:{argument}"


def rank() -> int:
    """Returns this process's rank."""
    number: int = flags.FLAGS.rank
    return number


def on_rank(number: int, change: Callable[..., None]) -> Callable[..., None]:
    """Restricts `change` to one rank."""

    @functools.wraps(change)
    def only_there(*args: Any) -> None:
        if rank() == number:
            change(*args)

    return only_there


def nothing(*args: Any, **kwargs: Any) -> None:
    """Does nothing, in place of a function that should do something."""
    del args, kwargs


def wrapped(hook: hooks.Hook, wrapper: hooks.Wrapper) -> Install:
    """Wraps the function at one of the trainer's hooks."""
    return lambda: hook.wrap(wrapper)


def replaced(
    module: str, name: str, replacement: Callable[[Any], Any]
) -> Install:
    """Replaces a function that has no hook, most often of megatron-core.

    Args:
        module: The function's module.
        name: Its name; a method with its class, such as "Optimizer.step".
        replacement: Takes the function and returns its replacement.
    """

    def install() -> None:
        owner: Any = importlib.import_module(module)
        *owners, last = name.split(".")
        for one in owners:
            owner = getattr(owner, one)
        setattr(owner, last, replacement(getattr(owner, last)))

    return install


def both(*installs: Install) -> Install:
    """Combines several changes."""

    def install() -> None:
        for one in installs:
            one()

    return install


def after_build(change: Change) -> Install:
    """Changes the newly built state, before anything is loaded."""

    def wrapper(original: Any) -> Any:
        def build(*args: Any) -> Any:
            state = original(*args)
            change(state)
            return state

        return build

    return wrapped(hooks.BUILD_STATE, wrapper)


def before_restore(change: ChangeSaved) -> Install:
    """Changes the content read from the checkpoint, before the restore."""

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


def at_save(change: ChangeSaved) -> Install:
    """Changes what a checkpoint file gets, after the state was digested."""

    def wrapper(original: Any) -> Any:
        def collect(state: Any) -> dict[str, Any]:
            saved: dict[str, Any] = original(state)
            change(saved, state)
            return saved

        return collect

    return wrapped(hooks.COLLECT, wrapper)


def before_step(change: ChangeStep) -> Install:
    """Changes something before each step, after the load was recorded."""

    def wrapper(original: Any) -> Any:
        def run(stepper: Any) -> Any:
            change(stepper.state, stepper.state.iteration + 1)
            return original(stepper)

        return run

    return wrapped(hooks.STEP, wrapper)


def before_first_step(change: Change) -> Install:
    """Changes something once, after the load was recorded."""
    seen: list[int] = []

    def change_once(
        state: "training_state.TrainingState", iteration: int
    ) -> None:
        if not seen:
            seen.append(iteration)
            change(state)

    return before_step(change_once)


def with_disk(change: Callable[[durable.Disk], durable.Disk]) -> Install:
    """Replaces the disk that checkpoints are written to."""
    return wrapped(
        hooks.OPEN_DISK, lambda open_disk: lambda: change(open_disk())
    )


class WrappedDisk(durable.Disk):
    """Forwards everything to another disk; subclasses override steps.

    Attributes:
        disk: The wrapped disk.
    """

    def __init__(self, disk: durable.Disk) -> None:
        """Wraps a disk that has no open file."""
        self.disk = disk
        self._paths: dict[int, pathlib.Path] = {}

    def around(
        self, kind: str, path: pathlib.Path, step: Callable[[], _T]
    ) -> _T:
        """Runs one step of writing; called for all steps except close.

        Args:
            kind: The name of the method of `durable.Disk`.
            path: The file or folder; for a rename, the old path.
            step: Runs the step.
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
