"""Tests that the catalogue is complete and well-formed; runs no fault."""

import collections
import re

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.testing.faults import catalogue
from regress.testing.faults import fault as fault_lib

_Conclusion = verdict_pb2.Verdict.Conclusion

# Resume bugs that were reported, or seen in public code.
_REPORTED = (
    "adam_step_lost",
    "cached_lr",
    "chunk_iterators_out_of_step",
    "chunk_missing",
    "chunks_swapped",
    "data_off_by_one_batch",
    "data_reshuffled",
    "data_restarts",
    "data_skips_one_batch",
    "embedding_replicas_differ",
    "first_moment_lost",
    "group_collision",
    "group_collision_silent",
    "group_fields_dropped",
    "group_of_another_size",
    "hang_in_step",
    "hang_on_load",
    "load_not_strict",
    "loss_mask_mutated",
    "loss_scale_lost",
    "main_params_from_bf16",
    "nondeterministic_step",
    "only_copy_deleted",
    "optimizer_not_loaded",
    "optimizer_state_of_wrong_rank",
    "rank_file_bit_flip",
    "rank_file_missing",
    "rank_file_of_older_iteration",
    "rank_file_truncated",
    "rate_given_anew",
    "ranks_disagree_on_iteration",
    "retried_in_silence",
    "rng_not_restored",
    "rng_of_rank_0",
    "scheduler_override_flattens_groups",
    "scheduler_restarts",
    "scheduler_steps_twice",
    "second_moment_lost",
    "stages_swapped",
    "stale_max_lr",
    "tracker_ahead",
    "tracker_empty",
    "tracker_missing_restart_at_0",
    "tracker_not_a_number",
    "tracker_not_restored",
    "tracker_truncated",
    "weights_not_loaded",
)
_ENTRIES = (*catalogue.FAULTS, *catalogue.IMPOSSIBLE)


class CatalogueTest(parameterized.TestCase):
    def test_names_are_unique(self) -> None:
        counts = collections.Counter(entry.name for entry in _ENTRIES)
        self.assertEqual([n for n, count in counts.items() if count > 1], [])

    def test_names_are_words(self) -> None:
        for entry in _ENTRIES:
            self.assertRegex(entry.name, r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")

    @parameterized.parameters(*_REPORTED)
    def test_a_reported_bug_is_there(self, name: str) -> None:
        self.assertIn(name, [entry.name for entry in _ENTRIES])

    def test_there_are_many(self) -> None:
        self.assertGreaterEqual(len(catalogue.FAULTS), 40)

    def test_each_has_a_reference_and_a_sentence(self) -> None:
        for fault in catalogue.FAULTS:
            self.assertNotEmpty(fault.reference, fault.name)
            self.assertRegex(fault.what, r"^\S.*[^.]\.$", fault.name)
        for impossible in catalogue.IMPOSSIBLE:
            self.assertNotEmpty(impossible.reference, impossible.name)
            self.assertRegex(impossible.why, r"^\S.*[^.]\.$", impossible.name)

    def test_each_injects_something(self) -> None:
        for fault in catalogue.FAULTS:
            self.assertNotEqual(
                fault.injection, fault_lib.Injection(), fault.name
            )

    def test_a_fault_that_fails_no_test_must_be_seen_in_memory(self) -> None:
        passing = [
            fault
            for fault in catalogue.FAULTS
            if fault.expected.conclusion == "PASS"
        ]
        self.assertNotEmpty(passing)
        for fault in passing:
            self.assertNotEmpty(fault.expected.ranks, fault.name)

    def test_each_other_expects_a_failing_verdict(self) -> None:
        for fault in catalogue.FAULTS:
            if fault.expected.conclusion == "PASS":
                continue
            self.assertIn(
                fault.expected.conclusion, _Conclusion.keys(), fault.name
            )
            self.assertNotEqual(
                fault.expected.conclusion, "CONCLUSION_UNSPECIFIED", fault.name
            )
            self.assertNotEmpty(fault.expected.subject, fault.name)
            for pattern in (
                fault.expected.subject,
                fault.expected.summary,
                fault.expected.known_bug,
            ):
                re.compile(pattern)

    def test_every_verdict_is_expected_of_some(self) -> None:
        self.assertEqual(
            {fault.expected.conclusion for fault in catalogue.FAULTS},
            {*_Conclusion.keys()} - {"CONCLUSION_UNSPECIFIED"},
        )


if __name__ == "__main__":
    absltest.main()
