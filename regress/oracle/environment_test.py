"""Tests of how environments are compared."""

from absl.testing import absltest

from regress.oracle import environment, record_test_helper


class DifferencesTest(absltest.TestCase):
    def test_finds_none_in_equals(self):
        self.assertEmpty(
            environment.differences(
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
            environment.differences(ours, theirs),
            [
                ("hardware", "none", "nvidia_h200"),
                ("device name", "AMD EPYC", "NVIDIA H200"),
                ("device count", "1", "8"),
                ("torch", "2.13.0", "2.12.0"),
                ("ATEN_CPU_CAPABILITY", "avx2", "absent"),
                ("nccl", "absent", "2.28.9"),
            ],
        )


if __name__ == "__main__":
    absltest.main()
