"""Tests for the checks that the run and the golden can be compared."""

from absl.testing import absltest

from regress.case import fingerprint
from regress.oracle import preconditions, record_test_helper, rules, verdict_pb2
from regress.oracle import verdict_test_helper as verdict_testing
from regress.report import wording
from regress.run import run_pb2

_WRONG_ENVIRONMENT = verdict_pb2.Verdict.WRONG_ENVIRONMENT

_STALE_GOLDEN = verdict_pb2.Verdict.STALE_GOLDEN

_OTHER_CASE = "The run record is not of the case that the target declares."


def _environment(
    records: record_test_helper.Records, attempt: int, rank: int
) -> run_pb2.Environment:
    return records.rank(attempt, rank).events[0].started.environment


class DeclaredCaseTest(verdict_testing.VerdictTestCase):
    def test_rejects_a_run_of_another_name(self):
        records = record_test_helper.passing()
        records.run.case.name = "large"
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.DECLARED_CASE,
            subject="case name",
            expected="small",
            actual="large",
            explanation=_OTHER_CASE,
        )

    def test_rejects_a_run_of_other_settings(self):
        records = record_test_helper.passing()
        records.run.case.training.seed = 7
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.DECLARED_CASE,
            subject="case fingerprint",
            explanation=_OTHER_CASE,
        )

    def test_rejects_a_run_that_recorded_another_fingerprint(self):
        records = record_test_helper.passing()
        records.run.case_fingerprint = "0" * 64
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.DECLARED_CASE,
            subject="recorded case fingerprint",
            actual="0" * 64,
            explanation=_OTHER_CASE,
        )

    def test_rejects_a_run_that_was_to_be_interrupted_elsewhere(self):
        records = record_test_helper.passing()
        records.run.case.interruption[0].iteration = 4
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.DECLARED_CASE,
            subject="interruption",
            expected="iteration: 5 phase: BACKWARD signal: SIGKILL",
            actual="iteration: 4 phase: BACKWARD signal: SIGKILL",
            explanation=_OTHER_CASE,
        )

    def test_names_each_interruption_of_a_run(self):
        records = record_test_helper.passing()
        records.run.case.interruption.add(iteration=7)
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.DECLARED_CASE,
            subject="interruption",
            actual="iteration: 5 phase: BACKWARD signal: SIGKILL; iteration: 7",
        )

    def test_rejects_a_run_that_was_not_to_be_interrupted(self):
        records = record_test_helper.passing()
        records.run.case.ClearField("interruption")
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.DECLARED_CASE,
            subject="interruption",
            actual="none",
        )


class DeclaredHardwareTest(verdict_testing.VerdictTestCase):
    def test_names_both_hardwares_of_a_golden(self):
        records = record_test_helper.passing()
        records.golden.hardware = "nvidia_h100"
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.DECLARED_HARDWARE,
            subject="hardware of the golden",
            expected="none",
            actual="nvidia_h100",
            explanation="The target declares hardware none.",
        )

    def test_names_both_channels(self):
        records = record_test_helper.passing()
        records.golden.channel = "lts"
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.DECLARED_HARDWARE,
            subject="channel of the golden",
            expected="dev",
            actual="lts",
            explanation="The target declares channel dev.",
        )

    def test_names_both_hardwares_of_every_rank(self):
        for attempt, rank in ((0, 0), (0, 3), (1, 2)):
            records = record_test_helper.passing()
            _environment(records, attempt, rank).hardware = "nvidia_a100"
            self.assert_fails(
                records,
                _WRONG_ENVIRONMENT,
                rules.DECLARED_HARDWARE,
                subject="hardware found",
                attempt=attempt,
                rank=rank,
                expected="none",
                actual="nvidia_a100",
                explanation="The target declares hardware none.",
            )


class OneEnvironmentTest(verdict_testing.VerdictTestCase):
    def test_finds_a_rank_with_another_version(self):
        records = record_test_helper.passing()
        _environment(records, 1, 2).versions["torch"] = "2.12.0"
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.ONE_ENVIRONMENT,
            subject="torch",
            attempt=1,
            rank=2,
            expected="2.13.0",
            actual="2.12.0",
        )

    def test_finds_a_rank_with_another_setting(self):
        records = record_test_helper.passing()
        _environment(records, 0, 3).settings["OMP_NUM_THREADS"] = "2"
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.ONE_ENVIRONMENT,
            subject="OMP_NUM_THREADS",
            rank=3,
        )

    def test_compares_all_ranks_with_the_first(self):
        records = record_test_helper.passing()
        _environment(records, 0, 0).device_name = "Intel Xeon"
        verdict = records.judge()
        findings = [
            finding
            for finding in verdict.findings
            if finding.check == rules.ONE_ENVIRONMENT.name
        ]
        self.assertLen(findings, 11)
        for finding in findings:
            self.assertEqual(wording.expected(finding), "Intel Xeon")
            self.assertEqual(wording.actual(finding), "AMD EPYC")
            self.assertIn(
                "expected is what rank 0 of attempt 0 reports",
                wording.explanation(finding),
            )

    def test_names_the_first_rank_that_says_where_it_runs(self):
        records = record_test_helper.passing()
        for rank in (0, 1, 2):
            records.remove_events(0, rank, "started")
        _environment(records, 1, 2).device_name = "Intel Xeon"
        (finding,) = (
            finding
            for finding in records.judge().findings
            if finding.check == rules.ONE_ENVIRONMENT.name
        )
        self.assertEqual((finding.attempt, finding.rank), (1, 2))
        self.assertIn(
            "expected is what rank 3 of attempt 0 reports",
            wording.explanation(finding),
        )


class LibrariesTest(verdict_testing.VerdictTestCase):
    def _load(self, records: record_test_helper.Records, path: str) -> None:
        for attempt in range(3):
            for rank in range(4):
                environment = _environment(records, attempt, rank)
                environment.libraries["libcudnn.so.9"] = path

    def test_finds_a_library_of_the_host(self):
        records = record_test_helper.passing()
        self._load(records, "/usr/lib/x86_64-linux-gnu/libcudnn.so.9")
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.LIBRARIES_OF_PACKAGES,
            subject="library libcudnn.so.9 of the host",
            attempt=0,
            rank=0,
            expected="absent",
            actual="/usr/lib/x86_64-linux-gnu/libcudnn.so.9",
        )

    def test_takes_one_of_a_package(self):
        records = record_test_helper.passing()
        self._load(
            records,
            "nvidia/cudnn/lib/libcudnn.so.9 of nvidia-cudnn-cu13 9.19.0.56",
        )
        self.assertEqual(records.judge().conclusion, verdict_pb2.Verdict.PASS)

    def test_an_image_may_have_it_anywhere(self):
        records = record_test_helper.passing()
        self._load(records, "/usr/lib/x86_64-linux-gnu/libcudnn.so.9")
        records.run.image_python = "/opt/venv/bin/python"
        self.assertEqual(records.judge().conclusion, verdict_pb2.Verdict.PASS)


class SettingsTest(verdict_testing.VerdictTestCase):
    def test_finds_one_that_was_changed_before_the_start(self):
        records = record_test_helper.passing()
        for attempt in (0, 1):
            for rank in range(4):
                settings = _environment(records, attempt, rank).settings
                settings["ATEN_CPU_CAPABILITY"] = "avx512"
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.SETTINGS_IN_FORCE,
            subject="setting ATEN_CPU_CAPABILITY",
            attempt=0,
            rank=0,
            expected="avx2",
            actual="avx512",
        )

    def test_finds_one_that_a_step_changed(self):
        records = record_test_helper.passing()
        events = records.rank(1, 2).events
        events.append(
            run_pb2.Event(
                settings_change=run_pb2.SettingsChange(
                    iteration=7, settings={"ATEN_CPU_CAPABILITY": "default"}
                )
            )
        )
        self.assert_fails(
            records,
            _WRONG_ENVIRONMENT,
            rules.SETTINGS_IN_FORCE,
            subject="setting ATEN_CPU_CAPABILITY",
            attempt=1,
            rank=2,
            iteration=7,
            actual="default",
        )

    def test_finds_one_that_is_no_longer_reported(self):
        records = record_test_helper.passing()
        _environment(records, 1, 3).settings.clear()
        verdict = records.judge()
        found = {
            wording.subject(finding): wording.actual(finding)
            for finding in verdict.findings
        }
        self.assertEqual(verdict.conclusion, _WRONG_ENVIRONMENT)
        self.assertEqual(found["setting ATEN_CPU_CAPABILITY"], "absent")

    def test_a_trainer_need_not_say_what_it_wanted(self):
        records = record_test_helper.passing()
        for attempt in (0, 1):
            for rank in range(4):
                started = records.rank(attempt, rank).events[0].started
                started.wanted_settings.clear()
        self.assert_passes(records)


class EnvironmentDifferencesTest(verdict_testing.VerdictTestCase):
    def test_are_none_in_the_goldens_environment(self):
        verdict = record_test_helper.passing().judge()
        self.assertEmpty(verdict.environment_differences)

    def test_are_listed_and_fail_nothing(self):
        records = record_test_helper.passing()
        recorded = records.golden.provenance.environment
        recorded.versions["numpy"] = "2.4.6"
        recorded.settings["MKL_CBWR"] = "COMPATIBLE"
        recorded.settings["ATEN_CPU_CAPABILITY"] = "avx512"
        recorded.device_name = "Intel Xeon"
        self.assert_passes(records)
        self.assertEqual(
            list(
                map(
                    wording.environment_difference,
                    records.judge().environment_differences,
                )
            ),
            [
                "device name: AMD EPYC, golden Intel Xeon",
                "numpy: absent, golden 2.4.6",
                "ATEN_CPU_CAPABILITY: avx2, golden avx512",
                "MKL_CBWR: absent, golden COMPATIBLE",
            ],
        )

    def test_a_setting_that_the_golden_does_not_name_is_none(self):
        # It was recorded before the setting was observed.
        records = record_test_helper.passing()
        for attempt in (0, 1):
            for rank in range(4):
                settings = _environment(records, attempt, rank).settings
                settings["flush denormals"] = "off"
        for rank in range(4):
            started = records.run.read_back.ranks[rank].events[0].started
            started.environment.settings["flush denormals"] = "off"
        self.assert_passes(records)
        self.assertEmpty(records.judge().environment_differences)

    def test_are_those_of_the_first_rank(self):
        records = record_test_helper.passing()
        _environment(records, 0, 0).versions["torch"] = "2.12.0"
        self.assertEqual(
            list(
                map(
                    wording.environment_difference,
                    records.judge().environment_differences,
                )
            ),
            ["torch: 2.12.0, golden 2.13.0"],
        )

    def test_are_those_of_the_only_rank_that_named_its_environment(self):
        records = record_test_helper.passing()
        for attempt in range(3):
            for rank in range(record_test_helper.RANKS):
                if (attempt, rank) != (0, 2):
                    records.remove_events(attempt, rank, "started")
        versions = _environment(records, 0, 2).versions
        versions["torch"] = "2.12.0"
        versions["numpy"] = "2.4.6"
        self.assertEqual(
            list(
                map(
                    wording.environment_difference,
                    records.judge().environment_differences,
                )
            ),
            [
                "torch: 2.12.0, golden 2.13.0",
                "numpy: 2.4.6, golden absent",
            ],
        )

    def test_are_none_if_no_rank_named_its_environment(self):
        records = record_test_helper.passing()
        for attempt in range(3):
            for rank in range(record_test_helper.RANKS):
                records.remove_events(attempt, rank, "started")
        self.assertEmpty(records.judge().environment_differences)


class GoldenOfPackagesTest(verdict_testing.VerdictTestCase):
    def test_rejects_the_golden_of_another_release(self):
        records = record_test_helper.passing()
        versions = records.golden.provenance.environment.versions
        versions["torch"] = "2.12.0"
        self.assert_fails(
            records,
            _STALE_GOLDEN,
            rules.GOLDEN_OF_PACKAGES,
            subject="torch",
            expected="2.12.0",
            actual="2.13.0",
            explanation="The golden was recorded with another release of "
            "torch: its numbers need not be this one's.",
        )

    def test_rejects_the_golden_of_a_package_more(self):
        records = record_test_helper.passing()
        versions = records.golden.provenance.environment.versions
        versions["transformer-engine"] = "2.11.0"
        self.assert_fails(
            records,
            _STALE_GOLDEN,
            rules.GOLDEN_OF_PACKAGES,
            subject="transformer-engine",
            expected="2.11.0",
            actual="absent",
        )

    def test_rejects_the_golden_of_a_package_less(self):
        records = record_test_helper.passing()
        for attempt in range(3):
            for rank in range(record_test_helper.RANKS):
                versions = _environment(records, attempt, rank).versions
                versions["transformer-engine"] = "2.11.0"
        self.assert_fails(
            records,
            _STALE_GOLDEN,
            rules.GOLDEN_OF_PACKAGES,
            subject="transformer-engine",
            expected="absent",
            actual="2.11.0",
        )

    def test_names_the_release_also_where_the_numbers_drift(self):
        records = record_test_helper.passing()
        records.golden.provenance.environment.versions["torch"] = "2.12.0"
        for one in records.golden.series:
            if one.metric == "lm loss":
                one.values[0] += 1
        self.assert_fails(records, _STALE_GOLDEN, rules.GOLDEN_OF_PACKAGES)

    def test_another_release_hides_no_fault_of_the_run(self):
        def load_other_state(records):
            for event in records.rank(1, 0).events:
                if event.state.moment == run_pb2.StateDigest.LOADED:
                    event.state.entries[0].digest = "0" * 32

        def train_otherwise(records):
            first = next(
                event
                for event in records.rank(1, 3).events
                if event.HasField("step")
            )
            first.step.lm_loss += 1

        def load_nothing(records):
            for rank in range(record_test_helper.RANKS):
                records.remove_events(1, rank, "checkpoint")

        for change, conclusion in (
            (load_other_state, verdict_pb2.Verdict.RESUME_DIVERGENCE),
            (train_otherwise, verdict_pb2.Verdict.RESUME_DIVERGENCE),
            (load_nothing, verdict_pb2.Verdict.NOT_RESUMED),
        ):
            with self.subTest(change.__name__):
                records = record_test_helper.passing()
                versions = records.golden.provenance.environment.versions
                versions["torch"] = "2.12.0"
                change(records)
                self.assert_fails(
                    records,
                    conclusion,
                    rules.GOLDEN_OF_PACKAGES,
                    subject="torch",
                )


class GoldenOfCaseTest(verdict_testing.VerdictTestCase):
    def test_rejects_the_golden_of_another_case(self):
        records = record_test_helper.passing()
        records.golden.case_name = "large"
        self.assert_fails(
            records,
            _STALE_GOLDEN,
            rules.GOLDEN_OF_CASE,
            subject="case name",
            expected="large",
            actual="small",
            explanation="The golden was recorded for another case.",
        )

    def test_rejects_the_golden_of_the_case_before_it_changed(self):
        old = record_test_helper.small_case()
        old.optimizer.clip_grad = 0.5
        records = record_test_helper.passing()
        records.golden = record_test_helper.golden_of(old)
        self.assert_fails(
            records,
            _STALE_GOLDEN,
            rules.GOLDEN_OF_CASE,
            subject="case fingerprint",
            expected=fingerprint.fingerprint(old),
            actual=fingerprint.fingerprint(records.case),
            explanation="The case has changed since the golden was recorded.",
        )

    def test_names_the_fields_of_the_case_that_changed(self):
        old = record_test_helper.small_case()
        old.optimizer.clip_grad = 0.5
        old.name, old.training.seed = "renamed", 7
        old.interruption[0].iteration = 2
        records = record_test_helper.passing()
        records.golden = record_test_helper.golden_of(old)
        records.golden.case_name = records.case.name
        records.golden.provenance.case.CopyFrom(old)
        verdict = records.judge()
        self.assertEqual(verdict.conclusion, _STALE_GOLDEN)
        self.assertEqual(
            [
                (
                    wording.subject(one),
                    wording.expected(one),
                    wording.actual(one),
                )
                for one in verdict.findings
                if one.check == rules.GOLDEN_OF_CASE.name
            ],
            [
                ("optimizer of the case", "set", "not set"),
                ("optimizer.clip_grad of the case", "0.5", "not set"),
                ("training.seed of the case", "7", "not set"),
            ],
        )

    def test_a_fingerprint_that_no_field_explains_is_told(self):
        records = record_test_helper.passing()
        records.golden.provenance.case.CopyFrom(records.case)
        records.golden.provenance.case_fingerprint = "0" * 64
        self.assert_fails(
            records,
            _STALE_GOLDEN,
            rules.GOLDEN_OF_CASE,
            subject="case fingerprint",
            expected="0" * 64,
        )

    def test_rejects_the_golden_of_another_corpus(self):
        records = record_test_helper.passing()
        records.golden.provenance.corpus_digest = "decade"
        self.assert_fails(
            records,
            _STALE_GOLDEN,
            rules.GOLDEN_OF_CASE,
            expected="decade",
            actual="c0ffee",
        )

    def test_two_absent_corpus_digests_are_not_equal(self):
        records = record_test_helper.passing()
        records.golden.provenance.corpus_digest = ""
        records.run.corpus_digest = ""
        self.assert_fails(
            records,
            _STALE_GOLDEN,
            rules.GOLDEN_OF_CASE,
            subject="corpus digest",
            expected="",
            actual="none in the run record",
        )

    def test_takes_the_golden_of_the_case_with_another_interruption(self):
        records = record_test_helper.passing(
            record_test_helper.small_case(iteration=7)
        )
        records.golden = record_test_helper.golden_of(
            record_test_helper.small_case(iteration=5)
        )
        self.assert_passes(records)


class CompareEnvironmentsTest(absltest.TestCase):
    def test_finds_none_in_equals(self):
        self.assertEmpty(
            preconditions.compare_environments(
                record_test_helper.environment(),
                record_test_helper.environment(),
            )
        )

    def test_finds_every_field(self):
        ours = record_test_helper.environment()
        theirs = record_test_helper.environment()
        theirs.hardware = "nvidia_h200"
        theirs.device_name = "NVIDIA H200"
        theirs.device_count = 8
        theirs.versions["torch"] = "2.12.0"
        theirs.versions["nccl"] = "2.28.9"
        del theirs.settings["ATEN_CPU_CAPABILITY"]
        self.assertEqual(
            preconditions.compare_environments(ours, theirs),
            [
                ("hardware", "none", "nvidia_h200"),
                ("device name", "AMD EPYC", "NVIDIA H200"),
                ("device count", "1", "8"),
                ("torch", "2.13.0", "2.12.0"),
                ("ATEN_CPU_CAPABILITY", "avx2", None),
                ("nccl", None, "2.28.9"),
            ],
        )


if __name__ == "__main__":
    absltest.main()
