"""Tests that a file of another form is damaged, and not a crash."""

import copy
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from unittest import mock

from absl.testing import absltest, parameterized

from regress.trainer import single_rank_test_helper  # before torch

import torch  # isort: skip
from regress.checkpoint import errors  # isort: skip
from regress.trainer import checkpoint  # isort: skip

# What may stand in a tampered file in place of anything.
_STRANGERS: tuple[Any, ...] = (None, -1, "x", [], {}, torch.zeros(3))

Path = tuple[Any, ...]


def setUpModule() -> None:  # noqa: D103
    single_rank_test_helper.join()


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yields the paths of all that is in a value, but not of every number."""
    if isinstance(value, dict):
        items: Any = value.items()
    elif isinstance(value, (list, tuple)):
        items = list(enumerate(value))[:3]
    else:
        return
    for key, inner in items:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _changed(value: Any, path: Path, change: Callable[[Any], None]) -> Any:
    """Returns a copy in which the container at the end of a path is changed."""
    if len(path) == 1:
        inside = list(value) if isinstance(value, tuple) else copy.copy(value)
        change(inside)
    else:
        inside = list(value) if isinstance(value, tuple) else copy.copy(value)
        inside[path[0]] = _changed(value[path[0]], path[1:], change)
    return tuple(inside) if isinstance(value, tuple) else inside


class SavedFormTest(parameterized.TestCase):
    _saved: ClassVar[dict[str, Any]]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        state = single_rank_test_helper.new_state()
        single_rank_test_helper.stepper(state).run()
        cls._saved = checkpoint.to_saved(state)

    def setUp(self) -> None:
        super().setUp()
        self._checkpoints = checkpoint.Checkpoints(
            pathlib.Path(self.create_tempdir().full_path),
            rank=0,
            ranks=1,
            gather=lambda mine: [mine],
        )
        self._checkpoints.path(1).parent.mkdir(parents=True)

    def _load(self, saved: Any) -> None:
        torch.save(saved, self._checkpoints.path(1))
        self._checkpoints.load(1, single_rank_test_helper.new_state())

    def _assert_refused(self, saved: Any, words: str) -> None:
        with self.assertRaisesRegex(errors.CheckpointError, words):
            self._load(saved)

    def test_what_was_saved_fits(self) -> None:
        self._load(self._saved)

    @parameterized.parameters(
        ([], "is damaged: it holds a list; expected a dict"),
        (torch.zeros(2), "is damaged: it holds a Tensor; expected a dict"),
    )
    def test_what_is_no_dict_is_refused(self, saved: Any, words: str) -> None:
        self._assert_refused(saved, words)

    def test_without_a_key_it_is_refused(self) -> None:
        for key in self._saved:
            if key != "iteration":
                rest = {k: v for k, v in self._saved.items() if k != key}
                self._assert_refused(rest, f"is damaged: it has no '{key}'")

    def test_a_weight_of_another_shape_is_named(self) -> None:
        name = "decoder.layers.0.mlp.linear_fc1.weight"
        other = _changed(
            self._saved,
            ("model0", name),
            lambda model: model.update({name: torch.zeros(3)}),
        )
        self._assert_refused(
            other,
            rf"its model0/{name} is a tensor of \[3\]; expected a tensor of "
            r"\[64, 16\]\. Restore it; no older checkpoint",
        )

    def test_nothing_in_a_file_makes_the_loader_crash(self) -> None:
        def read(path: pathlib.Path, iteration: int) -> Any:
            del path, iteration
            return tampered

        # Its size is recorded.
        self._checkpoints.path(1).touch()
        refused = 0
        for path in _paths(self._saved):
            if path == ("iteration",):
                continue
            for change in (
                *(
                    lambda inside, s=s: inside.__setitem__(path[-1], s)  # noqa: B023
                    for s in _STRANGERS
                ),
                lambda inside: inside.__delitem__(path[-1]),  # noqa: B023
            ):
                tampered = _changed(self._saved, path, change)
                with (
                    self.subTest(path),
                    mock.patch.object(checkpoint, "_read", read),
                ):
                    try:
                        self._checkpoints.load(
                            1, single_rank_test_helper.new_state()
                        )
                    except errors.CheckpointError:
                        refused += 1
                    except ValueError as error:
                        # A key that no group has is a fault of the loader as
                        # often as of the file.
                        self.assertIn("find parameter group", str(error))
                        self.assertIn("param_groups", path)
        self.assertGreater(refused, 100)


if __name__ == "__main__":
    absltest.main()
