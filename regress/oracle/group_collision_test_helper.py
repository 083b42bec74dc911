"""Makes records of runs whose param groups can collide on load.

The groups are those of megatron-core 0.16.1 with a decoupled learning rate.
"""

from collections.abc import Iterable

from regress.case import case_pb2
from regress.oracle import record_test_helper
from regress.report import summary
from regress.run import run_pb2

SAVED = run_pb2.StateDigest.SAVED
LOADED = run_pb2.StateDigest.LOADED
REFUSAL = (
    "ValueError: loaded state dict contains a parameter group that doesn't "
    "match the size of optimizer's group"
)
DEFAULT = "default"
DECOUPLED = "decoupled"
NO_DECAY = "default (no weight decay)"

_Exit = run_pb2.ExitStatus
_COMMON = {
    "is_expert_parallel": "False",
    "lr_mult": "1.0",
    "wd_mult": "1.0",
    "is_decoupled_lr": "False",
    "eps": "1e-08",
}
_OWN_RATES = {"max_lr": "0.001", "min_lr": "0.0001", "lr": "0.0005"}
# In megatron-core's order.
_GROUPS = {
    DEFAULT: {"default_config": "True"}
    | _COMMON
    | _OWN_RATES
    | {"params": "6"},
    DECOUPLED: {"default_config": "False"}
    | _COMMON
    | {"max_lr": "0.005", "min_lr": "0.0006", "lr": "0.0025"}
    | {"params": "1"},
    NO_DECAY: {"default_config": "True"}
    | _COMMON
    | _OWN_RATES
    | {"wd_mult": "0.0", "params": "8"},
}
_RATES = tuple(_OWN_RATES)


class Run:
    """A run in which nothing is wrong until a test breaks it.

    Attributes:
        records: The case, the run record and the golden.
    """

    def __init__(
        self,
        release: str = "0.16.1",
        grouping: "case_pb2.ParamGrouping" = case_pb2.STOCK,
    ) -> None:
        """Makes a run of 4 ranks with the groups of megatron-core 0.16.1.

        Args:
            release: The release of megatron-core that the ranks report.
            grouping: The case's param grouping.
        """
        case = record_test_helper.small_case()
        case.optimizer.param_grouping = grouping
        self.records = record_test_helper.passing(case)
        for environment in (
            self.records.golden.provenance.environment,
            *(
                rank.events[0].started.environment
                for attempt in self.records.launches
                for rank in attempt.ranks
            ),
        ):
            environment.versions["megatron-core"] = release
        for rank in range(record_test_helper.RANKS):
            for moment in (SAVED, LOADED):
                state = self._state(rank, moment)
                # The small case's own entry for the group default.
                del state.entries[4]
                for group, fields in _GROUPS.items():
                    for field, value in fields.items():
                        state.entries.add(name=f"param group {group}/{field}")
                        self.set(rank, moment, group, field, value)
        self.records.go_on_as_recorded()

    def known_bug(self) -> str:
        """Returns the report's words for a known bug; "" if there is none."""
        self.records.record_first_save()
        self.records.go_on_as_recorded()
        return summary.known_bug(self.records.judge())

    def set(
        self,
        rank: int,
        moment: run_pb2.StateDigest.Moment,
        group: str,
        field: str,
        value: str,
    ) -> None:
        """Sets a field of a group in one rank's saved or loaded state."""
        (entry,) = (
            entry
            for entry in self._state(rank, moment).entries
            if entry.name == f"param group {group}/{field}"
        )
        entry.digest = f"digest of {value}"
        entry.description = value

    def set_all(
        self,
        group: str,
        field: str,
        value: str,
        moments: Iterable[run_pb2.StateDigest.Moment] = (SAVED, LOADED),
    ) -> None:
        """Sets a field of a group on all ranks."""
        for rank in range(record_test_helper.RANKS):
            for moment in moments:
                self.set(rank, moment, group, field, value)

    def remove(
        self,
        rank: int,
        name: str,
        moments: Iterable[run_pb2.StateDigest.Moment] = (SAVED, LOADED),
    ) -> None:
        """Removes an entry by name.

        A name that ends with "/", as "param group x/", removes all entries that
        start with it.
        """
        for moment in moments:
            state = self._state(rank, moment)
            kept = [
                entry
                for entry in state.entries
                if entry.name != name
                and not (name.endswith("/") and entry.name.startswith(name))
            ]
            del state.entries[:]
            state.entries.extend(kept)

    def give_rates(
        self, taker: str, giver: str, rates: Iterable[str] = _RATES
    ) -> None:
        """Makes every rank load a group with the rates of another one."""
        for field in rates:
            self.set_all(taker, field, _GROUPS[giver][field], [LOADED])

    def exchange(self) -> None:
        """Makes every rank load the group default as the bug does."""
        self.give_rates(DEFAULT, DECOUPLED)
        self.set_all(DEFAULT, "default_config", "False", [LOADED])

    def refuse(self) -> None:
        """Makes torch refuse the load on every rank; rank 2 fails first."""
        attempt = self.records.run.attempts[1]
        attempt.end.failure.rank.rank = 2
        attempt.end.failure.rank.last_log_line = REFUSAL
        for rank in attempt.ranks:
            del rank.events[2:]
            rank.exit.CopyFrom(_Exit(cause=_Exit.PEER_GONE, signal=9))
        self.records.rank(1, 2).exit.CopyFrom(
            _Exit(cause=_Exit.BY_ITSELF, code=1)
        )

    def _state(
        self, rank: int, moment: run_pb2.StateDigest.Moment
    ) -> run_pb2.StateDigest:
        return self.records.state(int(moment == LOADED), rank, moment)
