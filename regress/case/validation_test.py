"""Tests for validating cases."""

import math
from collections.abc import Iterator
from typing import Any

from absl.testing import absltest, parameterized
from google.protobuf import text_format

from regress.case import case_pb2, case_test_helper, validation

_PATH = f"cases/{case_test_helper.NAME}.textproto"

# Any value of these fields can be run.
_WITHOUT_RULE = (
    "model.tied_embeddings",
    "interruption.graceful",
    "relaunch_finished",
)

# The default is fine.
_OPTIONAL = ("memory_growth_bound",)

# Text to merge into the valid case, and the resulting problem. Merging appends
# to repeated fields.
_BROKEN = (
    (
        "model { layers: 13 }",
        "model.layers is 13, expected a multiple of parallelism.pipeline * "
        "parallelism.layers_per_virtual_stage = 4 * 2",
    ),
    (
        "model { layers: -8 }",
        "model.layers is -8, expected a positive number of at most 16777216",
    ),
    (
        "parallelism { pipeline: 5 } interruption { ranks: 4 }",
        "model.layers is 24, expected a multiple of parallelism.pipeline * "
        "parallelism.layers_per_virtual_stage = 5 * 2",
    ),
    (
        "model { attention_heads: 5 }",
        "model.hidden_size is 64, expected a multiple of "
        "model.attention_heads = 5",
    ),
    (
        "model { implementation: 7 }",
        "model.implementation is 7, expected one of LOCAL, TRANSFORMER_ENGINE",
    ),
    (
        "model { hidden_dropout: 1.0 }",
        "model.hidden_dropout is 1.0, expected a number of at least 0 and "
        "below 1",
    ),
    (
        "model { attention_dropout: -0.1 }",
        "model.attention_dropout is -0.1, expected a number of at least 0 and "
        "below 1",
    ),
    (
        "model { layers: 1200000 } parallelism { pipeline: 100000 }",
        "parallelism.pipeline is 100000, expected a positive number of at most "
        "256",
    ),
    (
        "training { iterations: 2147483647 }",
        "training.iterations is 2147483647, expected a positive number of at "
        "most 1000000",
    ),
    (
        "model { vocabulary_size: 2147483647 }",
        "model.vocabulary_size is 2147483647, expected a positive number of at "
        "most 16777216",
    ),
    (
        "memory_growth_bound: 0.9",
        "memory_growth_bound is 0.9, expected 0 for no bound, or a number of "
        "at least 1",
    ),
    (
        "parallelism { tensor: 2 }",
        "parallelism.tensor is 2, expected 1, the only tensor-parallel size "
        "supported",
    ),
    (
        "training { global_batch_size: 15 }",
        "training.global_batch_size is 15, expected a multiple of "
        "training.micro_batch_size = 2",
    ),
    (
        "training { global_batch_size: 12 }",
        "training.global_batch_size is 12, expected a multiple of "
        "training.micro_batch_size * parallelism.pipeline = 2 * 4, as a rank "
        "holds 3 chunks",
    ),
    (
        "training { save_interval: 41 }",
        "training.save_interval is 41, expected at most "
        "training.iterations = 40",
    ),
    (
        "training { seed: -1 }",
        "training.seed is -1, expected a positive number",
    ),
    (
        "optimizer { beta1: 1.0 }",
        "optimizer.beta1 is 1.0, expected a number between 0 and 1",
    ),
    (
        "optimizer { weight_decay: -0.01 }",
        "optimizer.weight_decay is -0.01, expected 0 or a positive number",
    ),
    (
        "optimizer { learning_rate { min: 0.002 } }",
        "optimizer.learning_rate.min is 0.002, expected at most "
        "optimizer.learning_rate.max = 0.001",
    ),
    (
        "optimizer { decoupled_learning_rate { min: 0.006 } }",
        "optimizer.decoupled_learning_rate.min is 0.006, expected at most "
        "optimizer.decoupled_learning_rate.max = 0.005",
    ),
    (
        "optimizer { learning_rate { max: inf } }",
        "optimizer.learning_rate.max is inf, expected a positive number",
    ),
    (
        "optimizer { learning_rate { warmup_iterations: 40 } }",
        "optimizer.learning_rate.warmup_iterations is 40, expected less than "
        "optimizer.learning_rate.decay_iterations = 40",
    ),
    (
        'data { corpus: "/data/x" }',
        'data.corpus is "/data/x", expected the path of a .bin and an .idx '
        "file in the workspace, without suffix",
    ),
    (
        "interruption { iteration: 41 }",
        "interruption.iteration is 41, expected at most "
        "training.iterations = 40",
    ),
    (
        "interruption { iteration: 10 }",
        "interruption.iteration is 10, expected one after a complete "
        "checkpoint, which is written every training.save_interval = 10 "
        "iterations",
    ),
    (
        "interruption { iteration: 10 phase: CHECKPOINT_WRITE }",
        "interruption.iteration is 10, expected one after a complete "
        "checkpoint, which is written every training.save_interval = 10 "
        "iterations",
    ),
    (
        "interruption { iteration: 25 phase: CHECKPOINT_WRITE }",
        "interruption.iteration is 25, expected a multiple of "
        "training.save_interval = 10, or training.iterations, as no other "
        "iteration has the phase CHECKPOINT_WRITE",
    ),
    (
        "interruption { iteration: 40 phase: BETWEEN_STEPS }",
        "interruption.iteration is 40, expected one that leaves an iteration "
        "to train after the resume from 40, of training.iterations = 40",
    ),
    (
        "interruption { ranks: 4 }",
        "interruption.ranks is [0, 3, 4], expected ranks from 0 to 3",
    ),
    (
        "interruption { ranks: -1 }",
        "interruption.ranks is [0, 3, -1], expected ranks from 0 to 3",
    ),
    (
        "interruption { ranks: 3 }",
        "interruption.ranks is [0, 3, 3], expected each rank once",
    ),
    (
        "interruption { signal: SIGKILL graceful: true }",
        "interruption.graceful is True, expected false, as only SIGTERM can "
        "ask for it",
    ),
    (
        "interruption {} "
        "interruption { iteration: 20 phase: FORWARD signal: SIGTERM }",
        "interruption[1].iteration is 20, expected one that the attempt comes "
        "to, which resumes from 20",
    ),
    (
        "interruption {} "
        "interruption { iteration: 31 phase: FORWARD signal: SIGKILL "
        "ranks: 4 }",
        "interruption[1].ranks is [4], expected ranks from 0 to 3",
    ),
    (
        "interruption {} "
        + "interruption { iteration: 35 phase: FORWARD signal: SIGKILL } " * 16,
        "interruption is there 17 times, expected at most 16",
    ),
    (
        'name: "large"',
        'name is "large", expected "small", the file\'s base name',
    ),
)

_STILL_VALID = (
    "interruption {} "
    "interruption { iteration: 21 phase: FORWARD signal: SIGTERM }",
    "interruption { iteration: 11 }",
    "interruption { iteration: 10 phase: BETWEEN_STEPS }",
    "interruption { iteration: 20 phase: CHECKPOINT_WRITE }",
    "interruption { iteration: 40 phase: CHECKPOINT_WRITE }",
    "interruption { iteration: 40 }",
    "interruption { ranks: [1, 2] }",
    # With one chunk per rank, microbatches need not come in groups.
    "parallelism { layers_per_virtual_stage: 6 } "
    "training { global_batch_size: 6 }",
    "training { save_interval: 20 }",
    "model { hidden_dropout: 0 attention_dropout: 0 }",
    "optimizer { learning_rate { min: 0 warmup_iterations: 0 } }",
    "optimizer { learning_rate { min: 0.001 } }",
    "optimizer { weight_decay: 0 }",
    'data { split: "1,0,0" }',
    'data { split: " 9.5, 0.5 ,0" }',
)


def _scalar_fields(
    descriptor: Any, path: str = ""
) -> Iterator[tuple[str, Any]]:
    for field in descriptor.fields:
        if field.message_type is not None:
            yield from _scalar_fields(
                field.message_type, f"{path}{field.name}."
            )
        else:
            yield f"{path}{field.name}", field


def _parent(case: case_pb2.Case, field: str) -> tuple[Any, str]:
    *parents, name = field.split(".")
    message: Any = case
    for parent in parents:
        message = getattr(message, parent)
        if parent == "interruption":
            message = message[0]
    return message, name


def _with(change: str) -> case_pb2.Case:
    case = case_test_helper.valid_case()
    (interruption,) = case.interruption
    case.ClearField("interruption")
    text_format.Merge(change, case)
    # The first one that the text has is a change; the others are added.
    changes = list(case.interruption)
    interruption.MergeFrom(changes[0] if changes else case_pb2.Interruption())
    case.ClearField("interruption")
    case.interruption.extend([interruption, *changes[1:]])
    return case


class ValidationTest(parameterized.TestCase):
    def test_a_valid_case_has_no_problem(self) -> None:
        case = case_test_helper.valid_case()
        self.assertEqual(validation.problems(case, _PATH), [])

    @parameterized.parameters(*_BROKEN)
    def test_one_mistake_is_one_problem(
        self, change: str, problem: str
    ) -> None:
        self.assertEqual(
            validation.problems(_with(change), _PATH), [f"{_PATH}: {problem}"]
        )

    @parameterized.parameters(*_STILL_VALID)
    def test_takes_what_can_be_run(self, change: str) -> None:
        self.assertEqual(validation.problems(_with(change), _PATH), [])

    @parameterized.parameters(
        "", "949,50", "949,50,1,0", "0,50,50", "9,-1,1", "a,b,c", "nan,1,1"
    )
    def test_refuses_a_split(self, split: str) -> None:
        case = case_test_helper.valid_case()
        case.data.split = split
        self.assertEqual(
            validation.problems(case, _PATH),
            [
                f'{_PATH}: data.split is "{split}", expected three numbers, '
                'the first positive and none negative, as "949,50,1"'
            ],
        )

    @parameterized.parameters("", "../x", "a/../../x", "x.bin", "a/x.idx")
    def test_refuses_a_corpus(self, corpus: str) -> None:
        case = case_test_helper.valid_case()
        case.data.corpus = corpus
        (problem,) = validation.problems(case, _PATH)
        self.assertStartsWith(problem, f'{_PATH}: data.corpus is "{corpus}", ')

    def test_every_field_has_a_rule(self) -> None:
        self.assertCountEqual(
            [rule.field for rule in validation.FIELD_RULES],
            {name for name, _ in _scalar_fields(case_pb2.Case.DESCRIPTOR)}
            - {"name", *_WITHOUT_RULE},
        )

    def test_a_graceful_stop_must_be_heard_in_time(self) -> None:
        case = _with(
            "interruption { phase: BETWEEN_STEPS signal: SIGTERM "
            "graceful: true }"
        )
        # The last rank is among the ranks that are hit.
        self.assertEqual(validation.problems(case, _PATH), [])
        case.interruption[0].ranks.remove(3)
        self.assertEqual(
            validation.problems(case, _PATH),
            [
                f"{_PATH}: interruption.ranks is [0], expected the last rank "
                "among them, as it is the only one that is still asked "
                "whether to stop in BETWEEN_STEPS"
            ],
        )
        case.interruption[0].phase = case_pb2.BACKWARD
        self.assertEqual(validation.problems(case, _PATH), [])

    def test_no_number_may_be_nan(self) -> None:
        for name, field in _scalar_fields(case_pb2.Case.DESCRIPTOR):
            if field.type == field.TYPE_DOUBLE:
                case = case_test_helper.valid_case()
                message, attribute = _parent(case, name)
                setattr(message, attribute, math.nan)
                (problem,) = validation.problems(case, _PATH)
                self.assertStartsWith(problem, f"{_PATH}: {name} is nan, ")

    def test_an_empty_case_lacks_all_that_is_required(self) -> None:
        may_be_zero = {
            "model.hidden_dropout",
            "model.attention_dropout",
            "optimizer.weight_decay",
            "optimizer.learning_rate.min",
            "optimizer.learning_rate.warmup_iterations",
            "optimizer.decoupled_learning_rate.min",
            "optimizer.param_grouping",
            "interruption.ranks",
            *_WITHOUT_RULE,
            *_OPTIONAL,
        }
        self.assertCountEqual(
            [
                problem.removeprefix(f"{_PATH}: ").split(" is ")[0]
                for problem in validation.problems(case_pb2.Case(), _PATH)
            ],
            {name for name, _ in _scalar_fields(case_pb2.Case.DESCRIPTOR)}
            - may_be_zero,
        )

    def test_a_missing_enum_is_named_with_its_values(self) -> None:
        case = case_test_helper.valid_case()
        case.training.ClearField("precision")
        self.assertEqual(
            validation.problems(case, _PATH),
            [
                f"{_PATH}: training.precision is PRECISION_UNSPECIFIED, "
                "expected one of BF16, FP32"
            ],
        )

    def test_param_groups_are_megatron_cores_own_by_default(self) -> None:
        case = case_test_helper.valid_case()
        case.optimizer.ClearField("param_grouping")
        self.assertEqual(validation.problems(case, _PATH), [])
        self.assertEqual(case.optimizer.param_grouping, case_pb2.STOCK)

    # 2 used to be STOCK.
    @parameterized.parameters(2, 3)
    def test_refuses_an_unknown_number_for_an_enum(self, number: int) -> None:
        case = _with(f"optimizer {{ param_grouping: {number} }}")
        self.assertEqual(
            validation.problems(case, _PATH),
            [
                f"{_PATH}: optimizer.param_grouping is {number}, expected one "
                "of STOCK, RESUMABLE"
            ],
        )

    def test_collects_all_problems(self) -> None:
        case = _with(
            "model { layers: 13 } optimizer { beta2: 2 } training { seed: 0 }"
        )
        self.assertLen(validation.problems(case, _PATH), 3)


if __name__ == "__main__":
    absltest.main()
