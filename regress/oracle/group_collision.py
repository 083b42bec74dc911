"""Detects param groups that collided on load (Megatron-LM #4705).

megatron-core's load matches saved param groups by a key. If several groups have
the same key, all of them get the fields of the last one. If these groups differ
in their number of params, torch refuses the result. If the load leaves each
group its own params, training continues with the wrong fields.

The saved state has every field of the key, so it predicts which groups collide
and whose fields each of them gets. A run shows the bug only if exactly that
happened.
"""

from collections.abc import Iterator, Mapping

from regress.oracle import observations, verdict_pb2
from regress.run import run_pb2, state_entry

_Digest = run_pb2.StateDigest
_Exit = run_pb2.ExitStatus
# The fields of each group, by group and field name, in the order saved.
_Groups = Mapping[str, Mapping[str, run_pb2.StateEntry]]

_KEY = ("wd_mult", "lr_mult", "is_expert_parallel", "is_decoupled_lr")
_PARAMS = "params"
_RATES = ("max_lr", "min_lr", "lr")
_REFUSAL = (
    "loaded state dict contains a parameter group that doesn't match the size "
    "of optimizer's group"
)


def refused(
    observed: observations.Observations,
) -> verdict_pb2.GroupCollision | None:
    """Returns the collision that made torch refuse the load, if any.

    A group that has another size than was saved is refused in the same words,
    as when a layer is frozen for the resume. So the words alone show nothing:
    the rank that was refused must be one whose saved groups collide, and no
    such rank may have loaded.

    Returns:
        The refused rank's collision, with all ranks that must collide. None if
        torch did not refuse the load, or not for this reason.
    """
    refused_rank = observed.attempt(1).record.end.failure.rank
    if _REFUSAL not in refused_rank.last_log_line:
        return None
    must_fail = {
        rank: groups
        for rank, groups in _saved_groups(observed).items()
        if any(_sizes_differ(groups, *pair) for pair in _takers(groups).items())
    }
    rank = refused_rank.rank
    if (
        rank not in must_fail
        or not _failed(_resumed(observed, rank))
        or any(_loaded(observed, other) for other in must_fail)
    ):
        return None
    groups = must_fail[rank]
    taker, giver = next(
        pair for pair in _takers(groups).items() if _sizes_differ(groups, *pair)
    )
    return verdict_pb2.GroupCollision(
        ranks=must_fail,
        rank=rank,
        taker=taker,
        giver=giver,
        field=_PARAMS,
        own=groups[taker][_PARAMS].description,
        taken=groups[giver][_PARAMS].description,
    )


def exchanged(
    observed: observations.Observations,
) -> verdict_pb2.GroupCollision | None:
    """Returns the collision that loaded a group with another's fields, if any.

    A learning rate that was set anew for the resume may happen to equal another
    group's, which is not this bug. It can be told apart: the group's other
    fields are unchanged, groups with a key of their own change too, or the
    scheduler shows the new rate.

    Returns:
        The first such rank's collision, with all ranks that have one. None if
        some rank did not load exactly what the bug predicts.
    """
    shown = {}
    for rank, groups in _saved_groups(observed).items():
        takers = _takers(groups)
        loaded = _loaded(observed, rank)
        if len(loaded) != 1 or not _is_as_predicted(groups, takers, loaded[0]):
            return None
        if _scheduler(loaded[0]) != _scheduler(_saved(observed, rank)[0]):
            return None
        if differences := list(_differences(groups, takers)):
            shown[rank] = differences[0]
    if not shown:
        return None
    rank, (taker, giver, field, own, taken) = next(iter(shown.items()))
    return verdict_pb2.GroupCollision(
        ranks=shown,
        rank=rank,
        taker=taker,
        giver=giver,
        field=field,
        own=own,
        taken=taken,
    )


def _saved_groups(observed: observations.Observations) -> dict[int, _Groups]:
    """Returns the saved groups of each rank that recorded its save once."""
    return {
        rank: _groups(saved[0])
        for rank in observed.ranks
        if len(saved := _saved(observed, rank)) == 1
    }


def _groups(state: run_pb2.StateDigest) -> _Groups:
    groups: dict[str, dict[str, run_pb2.StateEntry]] = {}
    for key, entry in state_entry.by_key(state).items():
        if entry.digest and key.group:
            groups.setdefault(key.group, {})[key.name] = entry
    return groups


def _takers(groups: _Groups) -> dict[str, str]:
    """Returns the groups that get another's fields, each with that other."""
    keys = {
        group: tuple(fields[field].digest for field in _KEY)
        for group, fields in groups.items()
        if fields.keys() >= {*_KEY, _PARAMS}
    }
    last = {key: group for group, key in keys.items()}
    return {
        group: last[key] for group, key in keys.items() if last[key] != group
    }


def _sizes_differ(groups: _Groups, taker: str, giver: str) -> bool:
    return groups[taker][_PARAMS].digest != groups[giver][_PARAMS].digest


def _is_as_predicted(
    saved: _Groups, takers: Mapping[str, str], state: run_pb2.StateDigest
) -> bool:
    """Whether each loaded group has the fields that the bug would give it."""
    loaded = _groups(state)
    return loaded.keys() == saved.keys() and all(
        _fields(loaded[group]) == _fields(saved[takers.get(group, group)])
        for group in saved
    )


def _fields(group: Mapping[str, run_pb2.StateEntry]) -> dict[str, str]:
    return {
        name: entry.digest for name, entry in group.items() if name != _PARAMS
    }


def _differences(
    groups: _Groups, takers: Mapping[str, str]
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yields each field that a collision changes, the rates first.

    Yields:
        The taker, the giver, the field's name, and its value in the taker and
        in the giver.
    """
    for taker, giver in takers.items():
        own, taken = groups[taker], groups[giver]
        for field in dict.fromkeys([*_RATES, *own]):
            if (
                field != _PARAMS
                and field in own.keys() & taken.keys()
                and own[field].digest != taken[field].digest
            ):
                yield (
                    taker,
                    giver,
                    field,
                    own[field].description,
                    taken[field].description,
                )


def _scheduler(state: run_pb2.StateDigest) -> dict[str, str]:
    return {
        key.name: entry.digest
        for key, entry in state_entry.by_key(state).items()
        if key.kind == "scheduler"
    }


def _failed(timeline: observations.Timeline) -> bool:
    return timeline.exit.cause == _Exit.BY_ITSELF and timeline.exit.code != 0


def _resumed(
    observed: observations.Observations, rank: int
) -> observations.Timeline:
    return observed.attempt(1).timelines.get(rank, observations.NO_TIMELINE)


def _loaded(
    observed: observations.Observations, rank: int
) -> list[run_pb2.StateDigest]:
    return observed.load(1).loaded(rank)


def _saved(
    observed: observations.Observations, rank: int
) -> list[run_pb2.StateDigest]:
    return observed.load(1).saved(rank)
