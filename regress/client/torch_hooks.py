"""Hooks into torch, through which an unmodified program is observed.

They are installed when the program imports torch, and look at what it does by
public ways in: what saves and loads, what begins a backward pass, what follows
an optimizer's step, and the first module of a forward pass. In evaluation
nothing is looked at. Weights are digested as they are saved or loaded, and as
the step after a load begins; in other steps only what is small.

A hook never ends or changes the program. One that fails says so in the rank's
file, and from then on nothing is observed.

The batch is what the first module of a forward pass is called with, and not
what a data loader yields: loaders read ahead, and by how much depends on where
they began.
"""

import atexit
import functools
import importlib
import os
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from regress.client import after_import, state_digest
from regress.client import observer as observer_lib

# Who saves and loads, by the module whose import brings it: the name of the
# function, and the places of the state and of the path among its arguments. A
# function that loads into a state has that, too.
_SAVES: Mapping[str, Mapping[str, tuple[int | None, int]]] = {
    "torch": {"save": (0, 1)},
    "torch.distributed.checkpoint": {"save": (0, 1), "async_save": (0, 1)},
    "safetensors.torch": {"save_file": (0, 1)},
}
_LOADS: Mapping[str, Mapping[str, tuple[int | None, int]]] = {
    "torch": {"load": (None, 0)},
    "torch.distributed.checkpoint": {"load": (0, 1)},
    "safetensors.torch": {"load_file": (None, 0)},
}
# How such functions call these arguments.
_STATES = ("obj", "state_dict", "tensors")
_PATHS = ("f", "checkpoint_id", "filename")


def install(observer: observer_lib.Observer) -> None:
    """Has the hooks installed as soon as torch is imported."""
    finder = after_import.AfterImport()
    hooks = Hooks(observer)
    finder.call("torch", hooks.install)
    finder.call("torch._dynamo.eval_frame", hooks.wrap_compiled)
    for name in _SAVES:
        if name != "torch":
            finder.call(name, functools.partial(hooks.wrap_files, name))
    finder.watch()


class Hooks:
    """The hooks of a process."""

    def __init__(self, observer: observer_lib.Observer) -> None:
        """Has them call an observer, once they are installed."""
        self._observer = observer
        self._torch: Any = None
        # The modules that forward passes begin with, and all optimizers.
        self._modules: weakref.WeakSet[Any] = weakref.WeakSet()
        self._optimizers: list[weakref.ref[Any]] = []
        # Set while the next forward pass is waited for.
        self._armed: Any = None
        # Whether this thread calls a function that saves or loads: one may
        # call another.
        self._within = threading.local()

    def install(self, torch: Any) -> None:
        """Installs all hooks but those of other libraries."""
        self._torch = torch
        self.wrap_files("torch", torch)
        torch.autograd.backward = self._wrap_backward(torch.autograd.backward)
        optimizers = torch.optim.Optimizer
        optimizers.__init__ = self._wrap_init(optimizers.__init__)
        # torch.optim has no attribute of this name.
        own = importlib.import_module("torch.optim.optimizer")
        own.register_optimizer_step_post_hook(self._after_update)
        self._arm()
        atexit.register(self._guard, "the end", self._observer.flush)

    def wrap_files(self, name: str, module: Any) -> None:
        """Wraps the functions of a module that save and load."""
        functions = [
            *((self._wrap_save, *one) for one in _SAVES[name].items()),
            *((self._wrap_load, *one) for one in _LOADS[name].items()),
        ]
        for wrap, function, (state, path) in functions:
            plain = getattr(module, function, None)
            if plain is not None:
                setattr(module, function, wrap(plain, state, path))

    def _guard(self, what: str, look: Callable[[], None]) -> None:
        """Looks, and steps aside if that fails."""
        try:
            look()
        except Exception as error:
            text = f"{what}: {type(error).__name__}: {error}"[:500]
            self._observer.say("problem", text)
            self._observer.stop()

    def _arm(self) -> None:
        if self._armed is None:
            module = self._torch.nn.modules.module
            self._armed = module.register_module_forward_pre_hook(
                self._before_forward
            )

    def _disarm(self) -> None:
        if self._armed is not None:
            self._armed.remove()
        self._armed = None

    def _before_forward(self, module: Any, args: tuple[Any, ...]) -> None:
        if self._torch.compiler.is_compiling():
            return
        if self._armed is not None and self._is_training(module):
            # What is given by name, torch passes to hooks of one module only.
            named = _named_arguments(sys._getframe(1))
            self._disarm()
            self._forward_begins(module, args, named)

    def wrap_compiled(self, dynamo: Any) -> None:
        """Has compiled modules call the hook themselves.

        torch warns of hooks on all modules when such a module is called.
        """
        compiled = dynamo.OptimizedModule
        plain = compiled.__call__

        @functools.wraps(plain)
        def call(module: Any, *args: Any, **named: Any) -> Any:
            if self._armed is None or self._torch.compiler.is_compiling():
                return plain(module, *args, **named)
            self._disarm()
            training = self._is_training(module)
            if training:
                self._forward_begins(module, args, named)
            try:
                return plain(module, *args, **named)
            finally:
                if not training:
                    self._arm()

        compiled.__call__ = call

    def _is_training(self, module: Any) -> bool:
        return bool(module.training and self._torch.is_grad_enabled())

    def _forward_begins(
        self, module: Any, args: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        if not self._observer.listened_to:
            return
        batch = [*args, named] if named else [*args]
        self._guard("a forward pass", lambda: self._begin_step(module, batch))
        self._observer.hold(observer_lib.BETWEEN_STEPS)
        self._observer.hold(observer_lib.FORWARD)

    def _begin_step(self, module: Any, batch: list[Any]) -> None:
        self._modules.add(module)
        for optimizer in self._known_optimizers():
            self._observer.expect_position(
                optimizer, functools.partial(_steps_counted, optimizer)
            )
        self._observer.begin_step(self._digest_later(batch), self._state)

    def _wrap_backward(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(plain)
        def backward(tensors: Any, *args: Any, **named: Any) -> Any:
            if self._torch.compiler.is_compiling():
                return plain(tensors, *args, **named)
            if self._observer.listened_to:
                self._guard(
                    "a backward pass",
                    lambda: self._observer.begin_backward(
                        self._numbers(tensors)
                    ),
                )
                self._observer.hold(observer_lib.BACKWARD)
            result = plain(tensors, *args, **named)
            # Not before: what was not kept may be computed again in there.
            self._arm()
            return result

        return backward

    def _wrap_init(self, plain: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(plain)
        def init(optimizer: Any, *args: Any, **named: Any) -> None:
            plain(optimizer, *args, **named)
            self._guard("an optimizer", lambda: self._know(optimizer))

        return init

    def _know(self, optimizer: Any) -> None:
        self._optimizers.append(weakref.ref(optimizer))
        self._observer.know(optimizer)

    def _known_optimizers(self) -> Iterator[Any]:
        for reference in self._optimizers:
            if (optimizer := reference()) is not None:
                yield optimizer

    def _after_update(
        self, optimizer: Any, args: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        del args, named
        if self._torch.compiler.is_compiling():
            return
        if self._observer.listened_to:
            self._guard(
                "an optimizer's step",
                lambda: self._observer.end_update(
                    optimizer,
                    lambda: _rates(optimizer),
                    lambda: _steps_counted(optimizer),
                ),
            )
            self._observer.hold(observer_lib.OPTIMIZER_STEP)
        self._arm()

    def _wrap_save(
        self, plain: Callable[..., Any], state_at: int | None, path_at: int
    ) -> Callable[..., Any]:
        @functools.wraps(plain)
        def save(*args: Any, **named: Any) -> Any:
            state = _argument(args, named, state_at, _STATES)
            path = _argument(args, named, path_at, _PATHS)
            if not self._looks(path) or _is_storage(state):
                return plain(*args, **named)
            self._within.file = True
            try:
                self._guard(
                    "a save",
                    lambda: self._observer.save(_path(path), _plain(state)),
                )
                if not self._observer.holds_save():
                    return plain(*args, **named)
                if plain.__module__ == "torch.serialization" and _is_path(path):
                    return self._hold_within(plain, path, args, named)
                self._observer.hold(observer_lib.CHECKPOINT_WRITE)
                return plain(*args, **named)
            finally:
                self._within.file = False

        return save

    def _hold_within(
        self,
        plain: Callable[..., Any],
        path: "str | os.PathLike[str]",
        args: tuple[Any, ...],
        named: dict[str, Any],
    ) -> Any:
        """Saves to a file, and holds when a part of it is written."""
        with open(path, "wb", buffering=0) as file:
            writer = _HoldingFile(
                file,
                lambda: self._observer.hold(observer_lib.CHECKPOINT_WRITE),
            )
            if len(args) > 1:
                args = (args[0], writer, *args[2:])
            else:
                named = {**named, "f": writer}
            return plain(*args, **named)

    def _wrap_load(
        self, plain: Callable[..., Any], state_at: int | None, path_at: int
    ) -> Callable[..., Any]:
        @functools.wraps(plain)
        def load(*args: Any, **named: Any) -> Any:
            path = _argument(args, named, path_at, _PATHS)
            if not self._looks(path):
                return plain(*args, **named)
            self._within.file = True
            try:
                result = plain(*args, **named)
                state = (
                    result
                    if state_at is None
                    else _argument(args, named, state_at, _STATES)
                )
                if not _is_storage(state):
                    self._guard(
                        "a load",
                        lambda: self._observer.load(_path(path), _plain(state)),
                    )
                return result
            finally:
                self._within.file = False

        return load

    def _looks(self, path: Any) -> bool:
        """Whether what is saved or loaded is to be looked at.

        A thread that writes into something else than a path has a part of what
        another thread has called a function for, as that of async_save().
        """
        return (
            not getattr(self._within, "file", False)
            and not self._observer.by_hand
            and self._observer.listened_to
            and (
                threading.current_thread() is threading.main_thread()
                or _is_path(path)
            )
        )

    def _state(self) -> Mapping[str, Any]:
        """Returns the whole training state that is known, by kind and name."""
        state: dict[str, dict[str, Any]] = {"param": {}, "buffer": {}}
        names: dict[Any, str] = {}
        for module in self._modules:
            for name, param in module.named_parameters():
                names.setdefault(param, _short_name(name))
                state["param"].setdefault(names[param], param)
            for name, buffer in module.named_buffers():
                state["buffer"].setdefault(_short_name(name), buffer)
        count = 0
        for optimizer in self._known_optimizers():
            for group in optimizer.param_groups:
                for index, param in enumerate(group["params"]):
                    name = names.setdefault(
                        param, f"{index} of param group {count}"
                    )
                    state["param"].setdefault(name, param)
                    # To ask for one that it lacks may add it.
                    if param in optimizer.state:
                        for field, value in optimizer.state[param].items():
                            state.setdefault(field, {})[name] = value
                state[f"param group {count}"] = {
                    field: value
                    for field, value in group.items()
                    if field not in ("params", "param_names")
                }
                count += 1
        return state

    def _numbers(self, tensors: Any) -> list[observer_lib.Later]:
        if isinstance(tensors, self._torch.Tensor):
            tensors = [tensors]
        return [
            self._copy(one)
            for one in tensors
            if isinstance(one, self._torch.Tensor) and one.numel() == 1
        ]

    def _digest_later(self, batch: list[Any]) -> observer_lib.Later:
        """Returns the digest of a batch once it is there.

        What is on the CPU is digested at once, as the program may change it.
        """
        if not self._torch.cuda.is_initialized():
            text = state_digest.batch(batch)
            return lambda: text
        copies: list[observer_lib.Later] = []
        plain = self._copied(batch, copies)
        return lambda: state_digest.batch([plain, [copy() for copy in copies]])

    def _copied(self, value: Any, copies: list[observer_lib.Later]) -> Any:
        """Takes tensors out of nested containers, and copies them."""
        if isinstance(value, self._torch.Tensor):
            copies.append(self._copy(value))
            return f"tensor {len(copies)}"
        if isinstance(value, Mapping):
            return {
                key: self._copied(one, copies) for key, one in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._copied(one, copies) for one in value]
        return value

    def _copy(self, tensor: Any) -> observer_lib.Later:
        """Copies a tensor to the host without waiting for a GPU."""
        torch = self._torch
        own = tensor.detach()
        if not own.is_cuda:
            copy = own.clone()
            return lambda: copy
        if torch.cuda.is_current_stream_capturing():
            return lambda: "captured"
        host = torch.empty_like(own, device="cpu", pin_memory=True)
        host.copy_(own, non_blocking=True)
        event = torch.cuda.Event()
        event.record()

        def wait() -> Any:
            event.synchronize()
            return host

        return wait


class _HoldingFile:
    """A file that holds once, when a part is written."""

    def __init__(self, file: Any, hold: Callable[[], None]) -> None:
        self._file = file
        self._hold = hold
        self._held = False

    def write(self, some: Any) -> int:
        """Writes on; after the first bytes, holds."""
        view = memoryview(some).cast("B")
        if not self._held and len(view) > 1:
            half = len(view) // 2
            self._write_all(view[:half])
            self._held = True
            self._hold()
            view = view[half:]
        self._write_all(view)
        return len(some)

    def _write_all(self, view: memoryview) -> None:
        while view:
            view = view[self._file.write(view) :]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _named_arguments(frame: types.FrameType | None) -> dict[str, Any]:
    """Returns what a module was called with by name, from torch's frame."""
    for _ in range(2):
        if frame is None:
            break
        named = frame.f_locals.get("kwargs")
        if isinstance(named, dict):
            return named
        frame = frame.f_back
    return {}


def _argument(
    args: Sequence[Any],
    named: Mapping[str, Any],
    place: int | None,
    names: Sequence[str],
) -> Any:
    for name in names:
        if name in named:
            return named[name]
    return args[place] if place is not None and place < len(args) else None


def _is_path(file: Any) -> bool:
    return isinstance(file, (str, os.PathLike))


def _path(file: Any) -> str:
    if _is_path(file):
        return str(os.fspath(file))
    name = getattr(file, "name", "")
    return name if isinstance(name, str) else ""


def _is_storage(state: Any) -> bool:
    """Whether it is a part of a tensor that is pickled, as between ranks."""
    return type(state).__name__ in ("TypedStorage", "UntypedStorage")


def _plain(state: Any) -> Any:
    """Asks what can say its state for it, as distributed checkpoints do."""
    if hasattr(state, "state_dict"):
        return state.state_dict()
    if isinstance(state, Mapping):
        return {
            key: value.state_dict() if hasattr(value, "state_dict") else value
            for key, value in state.items()
        }
    return state


def _short_name(name: str) -> str:
    """Leaves out what wrappers put in front of a name."""
    for wrapper in ("module.", "_orig_mod.", "_fsdp_wrapped_module."):
        name = name.replace(wrapper, "")
    return name


def _rates(optimizer: Any) -> list[dict[str, str]]:
    return [
        {
            name: repr(float(group[field]))
            for field, name in (
                ("lr", "learning rate"),
                ("weight_decay", "weight decay"),
            )
            if field in group
        }
        for group in optimizer.param_groups
    ]


def _steps_counted(optimizer: Any) -> int | None:
    """Returns how many steps an optimizer's own state counts."""
    for state in optimizer.state.values():
        if "step" in state:
            return int(state["step"])
        break
    return None
