"""Compares the form of a rank's file with the form of the rank's state.

A file may pass every check of its bytes and still hold something else than a
rank's state, if its manifest was made for it. Such a file is damaged, and the
loader should not be the first to notice. A file that is whole but that the
loader cannot match to its param groups is not damaged: then the loader fails,
as megatron-core's did for half a year. So the optimizer's part of a file is
compared with itself, and not with the state of this rank.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
import torch

# Whether a module has any, and of which size, differs between releases.
_EXTRA_STATE = "_extra_state"

# The kinds that a state consists of, besides numbers.
_KINDS: tuple[Any, ...] = (
    Mapping,
    torch.Tensor,
    numpy.ndarray,
    (list, tuple),
    str,
)


def misfit(state: Mapping[str, Any], saved: Mapping[str, Any]) -> str:
    """Returns where a file's form is not that of a state.

    Args:
        state: What a save of this rank would write now.
        saved: What the rank's file holds.

    Returns:
        The end of a sentence about the file, or "" if its form fits.
    """
    if missing := _missing(state, saved, ""):
        return missing
    for name, own in state.items():
        if name == "args":
            found = _misfit_of_arguments(saved[name])
        elif name.startswith("model"):
            found = _misfit_of_model(own, saved[name], name)
        elif name == "optimizer":
            found = (
                _misfit_of_kind(own, saved[name], name, whole=False)
                or _missing(own, saved[name], name)
                or _contradiction(saved[name])
            )
        else:
            found = _misfit_of_kind(own, saved[name], name, whole=True)
        if found:
            return found
    return ""


def _missing(own: Mapping[str, Any], saved: Mapping[Any, Any], of: str) -> str:
    missing = own.keys() - saved.keys()
    if not missing:
        return ""
    return f"{f'its {of}' if of else 'it'} has no {min(missing)!r}"


def _misfit_of_arguments(saved: Any) -> str:
    samples = getattr(saved, "consumed_train_samples", None)
    if type(samples) is int and samples >= 0:
        return ""
    return _wrong("args.consumed_train_samples", samples, "a number of samples")


def _misfit_of_model(own: Mapping[str, Any], saved: Any, where: str) -> str:
    if not isinstance(saved, Mapping):
        return _wrong(where, saved, "a dict")
    for more, names in (
        ("no", own.keys() - saved.keys()),
        ("an unknown", saved.keys() - own.keys()),
    ):
        if named := [str(n) for n in names if _EXTRA_STATE not in str(n)]:
            return f"its {where} has {more} {min(named)!r}"
    for name, tensor in own.items():
        if not isinstance(tensor, torch.Tensor) or _EXTRA_STATE in name:
            continue
        found = saved[name]
        if not isinstance(found, torch.Tensor) or found.shape != tensor.shape:
            return _wrong(f"{where}/{name}", found, _describe(tensor))
    return ""


def _misfit_of_kind(own: Any, saved: Any, where: str, *, whole: bool) -> str:
    """Compares the kinds of two values, and of what is in both.

    Args:
        own: The value in the state.
        saved: The value in the file, which may have more in it.
        where: What to call it.
        whole: Whether it must have all that the state's has in it.
    """
    if _is_number(own):
        return "" if _is_number(saved) else _wrong(where, saved, "a number")
    if own is None:
        # A setting that nobody set, or a random value that is not drawn yet.
        fits = saved is None or _is_number(saved) or isinstance(saved, str)
        return "" if fits else _wrong(where, saved, "None or a number")
    for kind in _KINDS:
        if isinstance(own, kind) and not isinstance(saved, kind):
            return _wrong(where, saved, _describe(own))
    mine, found = _items(own), _items(saved)
    for name, value in mine.items():
        if name in found:
            reason = _misfit_of_kind(
                value, found[name], f"{where}/{name}", whole=whole
            )
        else:
            reason = f"its {where} has no {name!r}" if whole else ""
        if reason:
            return reason
    return ""


def _items(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, Mapping):
        return value
    return dict(enumerate(value)) if isinstance(value, (list, tuple)) else {}


def _contradiction(saved: Mapping[str, Any]) -> str:
    """Returns where the optimizer's part of a file is not of one piece."""
    adam = saved.get("optimizer", saved)
    groups, state = adam.get("param_groups"), adam.get("state")
    if not isinstance(groups, list) or not isinstance(state, Mapping):
        return "its optimizer has no param groups, or no state"
    numbers: list[Any] = []
    for group in groups:
        params = group.get("params") if isinstance(group, Mapping) else None
        if not isinstance(params, list):
            return "a param group of its optimizer has no list of params"
        numbers += params
    if numbers != list(range(len(numbers))):
        return "the params of its optimizer's groups are not numbered through"
    if state and state.keys() != set(numbers):
        return "its optimizer's state is not that of its groups' params"
    # Without a copy in float32, the params themselves are the main params.
    mains = saved.get("fp32_from_fp16_params", [])
    if mains and not _are_main_params(mains, groups):
        return "its main params are not those of its optimizer's groups"
    main = [param for group in mains for param in group]
    for number in state:
        own = main[number : number + 1]
        if not _are_moments(state[number], state[0], own):
            return f"its optimizer/state/{number} is not a param's state"
    return ""


def _are_main_params(main: Any, groups: list[Any]) -> bool:
    """Whether every group has a copy of each of its params."""
    return len(main) == len(groups) and all(
        isinstance(params, list)
        and len(params) == len(group["params"])
        and all(isinstance(param, torch.Tensor) for param in params)
        for params, group in zip(main, groups, strict=True)
    )


def _are_moments(
    moments: Any, others: Any, main: Sequence[torch.Tensor]
) -> bool:
    """Whether this is a param's state, of the form of another param's."""
    if (
        not isinstance(moments, Mapping)
        or not isinstance(others, Mapping)
        or moments.keys() != others.keys()
    ):
        return False
    tensors = [value for value in moments.values() if not _is_number(value)]
    return (
        all(isinstance(tensor, torch.Tensor) for tensor in tensors)
        and len({tensor.shape for tensor in (*tensors, *main)}) <= 1
    )


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.dim() == 0
    return isinstance(value, (int, float))


def _wrong(where: str, found: Any, expected: str) -> str:
    return f"its {where} is {_describe(found)}; expected {expected}"


def _describe(value: Any) -> str:
    """Returns e.g. "a tensor of [4, 2]", "a str" or "-1"."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of {list(value.shape)}"
    if value is None or isinstance(value, (int, float)):
        return repr(value)
    return f"a {type(value).__name__}"
