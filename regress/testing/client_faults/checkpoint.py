"""The parts of a client's checkpoint, wherever that client keeps them.

The state is what a client gives to torch.save, or gets from torch.load: nested
dictionaries and lists.
"""

from collections.abc import Mapping
from typing import Any

_LIGHTNING = "pytorch-lightning_version"

# Of the torchrun client. Its position counts samples of all ranks.
_BATCH = 8


def is_one(state: Any) -> bool:
    """Whether something that was saved or loaded is a client's checkpoint."""
    return isinstance(state, Mapping) and (
        _LIGHTNING in state or "random_states" in state
    )


def copy(state: Any) -> Any:
    """Copies a state's containers, but no tensor."""
    if isinstance(state, dict):
        return type(state)((key, copy(one)) for key, one in state.items())
    if isinstance(state, list):
        return [copy(one) for one in state]
    return state


class Checkpoint:
    """A view of a client's checkpoint, through which it can be changed."""

    def __init__(self, state: Any) -> None:
        """Takes the state that the view is of."""
        self.state = state
        self._of_lightning = _LIGHTNING in state

    @property
    def weights(self) -> Any:
        """Weights by name."""
        return self.state["state_dict" if self._of_lightning else "model"]

    @weights.setter
    def weights(self, value: Any) -> None:
        self.state["state_dict" if self._of_lightning else "model"] = value

    @property
    def optimizer(self) -> Any:
        """The optimizer's state and param groups."""
        if self._of_lightning:
            return self.state["optimizer_states"][0]
        return self.state["optimizer"]

    @property
    def moments(self) -> list[dict[str, Any]]:
        """The optimizer's state of each weight."""
        return list(self.optimizer["state"].values())

    @property
    def group(self) -> dict[str, Any]:
        """The only param group."""
        (group,) = self.optimizer["param_groups"]
        return group  # type: ignore[no-any-return]

    @property
    def streams(self) -> list[Any]:
        """The random stream of torch of each rank."""
        if self._of_lightning:
            streams = self.state["callbacks"]["RandomStreams"]["streams"]
        else:
            streams = self.state["random_states"]
        return streams  # type: ignore[no-any-return]

    def skip_batches(self, count: int) -> None:
        """Moves the position in the data by so many batches of each rank."""
        if self._of_lightning:
            self._loader["given"] += count
        else:
            self.state["data_position"] += count * _BATCH * len(self.streams)

    def restart_data(self) -> None:
        """Moves the position in the data to the beginning."""
        if self._of_lightning:
            self._loader["given"] = 0
        else:
            self.state["data_position"] = 0

    def take_samples_of_rank_0(self) -> None:
        """Has rank 1 read what rank 0 reads, if this says what to read."""
        if not self._of_lightning:
            self.state["data_position"] -= _BATCH

    def forget_position(self) -> None:
        """Leaves out the position in the data."""
        if self._of_lightning:
            del self._loops["state_dict"]["combined_loader"]
        else:
            del self.state["data_position"]

    def count_updates(self, by: int) -> None:
        """Moves the schedule of the rates by so many updates."""
        if self._of_lightning:
            (schedule,) = self.state["lr_schedulers"]
            schedule["last_epoch"] += by
        else:
            self.state["schedule_updates"] += by

    def count_iterations(self, by: int) -> None:
        """Moves the number of the iteration."""
        if self._of_lightning:
            self.state["global_step"] += by
            progress = self._loops[
                "epoch_loop.automatic_optimization.optim_progress"
            ]
            for one in progress["optimizer"]["step"].values():
                for name in one:
                    one[name] += by
        else:
            self.state["step"] += by

    @property
    def _loops(self) -> Any:
        return self.state["loops"]["fit_loop"]

    @property
    def _loader(self) -> Any:
        return self._loops["state_dict"]["combined_loader"][0]
