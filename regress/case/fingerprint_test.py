"""Tests for the fingerprint of a case."""

import math
from collections.abc import Iterator
from typing import Any

from absl.testing import absltest
from google.protobuf import text_format

from regress.case import case_pb2, case_test_helper, fingerprint

_NOT_IN_THE_TRAJECTORY = (
    "name",
    "interruption",
    "relaunch_finished",
    "memory_growth_bound",
)


def _changed(field: Any, value: Any) -> Any:
    """Returns a different value for a scalar field, as close as possible."""
    if field.enum_type is not None:
        numbers = [v.number for v in field.enum_type.values]
        return numbers[(numbers.index(value) + 1) % len(numbers)]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return math.nextafter(value, math.inf)
    return value + "x"


def _changes(message: Any, path: str = "") -> Iterator[str]:
    """Changes each field in turn, at any depth, yields, and restores it."""
    for field in message.DESCRIPTOR.fields:
        name = f"{path}{field.name}"
        value = getattr(message, field.name)
        if field.is_repeated and field.message_type is not None:
            for one in value:
                yield from _changes(one, f"{name}.")
        elif field.is_repeated:
            value.append(_changed(field, field.default_value or 0))
            yield name
            value.pop()
        elif field.message_type is not None:
            yield from _changes(value, f"{name}.")
            before = type(value)()
            before.CopyFrom(value)
            message.ClearField(field.name)
            yield name
            getattr(message, field.name).CopyFrom(before)
        else:
            setattr(message, field.name, _changed(field, value))
            yield name
            setattr(message, field.name, value)


class FingerprintTest(absltest.TestCase):
    def test_every_field_that_shapes_the_trajectory_changes_it(self) -> None:
        case = case_test_helper.valid_case()
        before = fingerprint.fingerprint(case)
        seen = set()
        for field in _changes(case):
            with self.subTest(field):
                changed = fingerprint.fingerprint(case) != before
                shapes = field.split(".")[0] not in _NOT_IN_THE_TRAJECTORY
                self.assertEqual(changed, shapes)
            seen.add(field)
        self.assertEqual(fingerprint.fingerprint(case), before)
        self.assertContainsSubset(
            ["name", "interruption.ranks", "model.tied_embeddings", "data"],
            seen,
        )

    def test_every_change_has_a_fingerprint_of_its_own(self) -> None:
        case = case_test_helper.valid_case()
        fields = [
            (field, fingerprint.fingerprint(case))
            for field in _changes(case)
            if field.split(".")[0] not in _NOT_IN_THE_TRAJECTORY
        ]
        self.assertLen({print_ for _, print_ in fields}, len(fields))

    def test_does_not_depend_on_the_order_in_the_file(self) -> None:
        case = text_format.Parse(
            "model { layers: 3 hidden_size: 4 } training { seed: 5 }",
            case_pb2.Case(),
        )
        reordered = text_format.Parse(
            "training { seed: 5 } model { hidden_size: 4 layers: 3 }",
            case_pb2.Case(),
        )
        self.assertEqual(
            fingerprint.fingerprint(case), fingerprint.fingerprint(reordered)
        )

    def test_text_is_spelled_out(self) -> None:
        # A change here makes every golden stale.
        case = text_format.Parse(
            'name: "x" '
            "interruption { iteration: 3 } "
            "model { layers: 3 tied_embeddings: true implementation: LOCAL } "
            "optimizer { beta1: 0.1 decoupled_learning_rate { } } "
            'data { split: "1,\\"0\\n" }',
            case_pb2.Case(),
        )
        self.assertEqual(
            fingerprint.canonical_text(case),
            "data:\n"
            'data.split: "1,\\"0\\n"\n'
            "model:\n"
            "model.implementation: LOCAL\n"
            "model.layers: 3\n"
            "model.tied_embeddings: true\n"
            "optimizer:\n"
            "optimizer.beta1: 0x1.999999999999ap-4\n"
            "optimizer.decoupled_learning_rate:\n",
        )
        self.assertEqual(
            fingerprint.fingerprint(case),
            "36ec4a083195fd2b028358974a1e57f9fb9c41d12439dc9ba368dc793cc24477",
        )

    def test_tells_zeros_apart(self) -> None:
        texts = [
            fingerprint.canonical_text(
                case_pb2.Case(optimizer=case_pb2.Optimizer(beta1=zero))
            )
            for zero in (0.0, -0.0)
        ]
        self.assertEqual(
            texts, ["optimizer:\n", "optimizer:\noptimizer.beta1: -0x0.0p+0\n"]
        )

    def test_names_the_fields_that_differ(self) -> None:
        old, new = (
            text_format.Parse(text, case_pb2.Case())
            for text in (
                'name: "x" interruption { iteration: 3 } model { layers: 3 } '
                'optimizer { beta1: 0.1 } data { split: "0x1" }',
                'name: "y" optimizer { beta1: 0.2 } data { split: "0x2" }',
            )
        )
        self.assertEqual(
            fingerprint.differences(old, new),
            [
                ("data.split", '"0x1"', '"0x2"'),
                ("model", "set", "not set"),
                ("model.layers", "3", "not set"),
                ("optimizer.beta1", "0.1", "0.2"),
            ],
        )
        self.assertEmpty(fingerprint.differences(old, old))


if __name__ == "__main__":
    absltest.main()
