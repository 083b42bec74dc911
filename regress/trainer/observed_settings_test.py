"""Tests that settings are observed, and not what a backend asked for."""

import os
from collections.abc import Callable
from unittest import mock

from absl.testing import absltest, parameterized

from regress.trainer import single_rank_test_helper  # before torch

import torch  # isort: skip
from regress.trainer import cuda_backend, observed_settings  # isort: skip

_BACKEND = single_rank_test_helper.BACKEND


def _set_denormals(value: bool) -> None:
    torch.set_flush_denormal(value)


def _set_cudnn(name: str) -> Callable[[bool], None]:
    return lambda value: setattr(torch.backends.cudnn, name, value)


class ObservedSettingsTest(parameterized.TestCase):
    def test_the_cpu_backend_gets_what_it_sets_up(self) -> None:
        self.assertEqual(
            _BACKEND.observe_settings(), _BACKEND.wanted_settings()
        )
        self.assertEqual(
            dict(_BACKEND.environment().settings), _BACKEND.wanted_settings()
        )

    @parameterized.parameters(
        ("intra-op threads", torch.set_num_threads, 3, 1, "3"),
        ("oneDNN", torch.backends.mkldnn.set_flags, True, False, "on"),
        (
            "float32 matmul precision",
            torch.set_float32_matmul_precision,
            "high",
            "highest",
            "high",
        ),
        (
            "deterministic algorithms",
            torch.set_deterministic_debug_mode,
            "warn",
            "error",
            "warn",
        ),
        ("flush denormals", _set_denormals, True, False, "on"),
    )
    def test_a_change_is_seen(
        self,
        name: str,
        change: Callable[[object], None],
        value: object,
        old: object,
        expected: str,
    ) -> None:
        before = _BACKEND.observe_settings()
        change(value)
        try:
            after = _BACKEND.observe_settings()
        finally:
            change(old)
        self.assertEqual(after, {**before, name: expected})
        self.assertEqual(_BACKEND.observe_settings(), before)

    @parameterized.parameters(
        ("cuDNN", _set_cudnn("enabled"), False),
        ("cuDNN deterministic", _set_cudnn("deterministic"), True),
        ("cuDNN benchmark", _set_cudnn("benchmark"), True),
        ("TF32 in cuDNN", _set_cudnn("allow_tf32"), False),
        (
            "TF32 in matmul",
            lambda value: setattr(
                torch.backends.cuda.matmul, "allow_tf32", value
            ),
            True,
        ),
    )
    def test_a_change_of_a_gpus_is_seen(
        self, name: str, change: Callable[[bool], None], value: bool
    ) -> None:
        wanted = cuda_backend.CudaBackend.in_force
        # What torch has in a process that changed nothing.
        before = observed_settings.observe([name])
        self.assertEqual(before, {name: wanted[name]})
        change(value)
        try:
            after = observed_settings.observe([name])
        finally:
            change(not value)
        self.assertEqual(after, {name: "on" if value else "off"})

    def test_openblas_answers_for_itself(self) -> None:
        # It has read these variables, and does not read them again.
        with mock.patch.dict(
            os.environ,
            {"OPENBLAS_CORETYPE": "other", "OPENBLAS_NUM_THREADS": "7"},
        ):
            found = _BACKEND.observe_settings()
        self.assertEqual(found["OPENBLAS_CORETYPE"], "Haswell")
        self.assertEqual(found["OPENBLAS_NUM_THREADS"], "1")

    def test_any_other_name_is_a_variable(self) -> None:
        with mock.patch.dict(os.environ, {"NCCL_ALGO": "Tree"}):
            self.assertEqual(
                observed_settings.observe(["NCCL_ALGO", "NOBODY_SETS_IT"]),
                {"NCCL_ALGO": "Tree", "NOBODY_SETS_IT": "unset"},
            )


if __name__ == "__main__":
    absltest.main()
