"""Tests of Megatron-LM's golden values as golden records."""

import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import Any

from absl.testing import absltest, parameterized

from regress.golden import errors, files
from tools.golden import upstream

_FOLDER = pathlib.Path(
    "testdata/golden/"
    "gpt3_mcore_te_tp1_pp4_vp1_resume_torch_decoupled_lr_upstream"
)

_VALUES: dict[str, Any] = {
    "lm loss": {
        "start_step": 1,
        "end_step": 3,
        "step_interval": 1,
        "values": {"1": 10.5, "2": 10.25, "3": 9.0},
    },
    "iteration-time": {
        "start_step": 2,
        "end_step": 3,
        "step_interval": 1,
        "values": {"2": 7.35085, "3": 0.11684},
    },
}


def _import(text: str) -> Any:
    return upstream.to_golden(
        text,
        case_name="gpt",
        channel="lts",
        hardware="any",
        source="there",
        note="so",
    )


def _drop_step(values: dict[str, Any]) -> None:
    del values["lm loss"]["values"]["2"]


def _add_metric(values: dict[str, Any]) -> None:
    values["new"] = values["lm loss"]


def _add_field(values: dict[str, Any]) -> None:
    values["lm loss"]["unit"] = "nats"


def _drop_field(values: dict[str, Any]) -> None:
    del values["lm loss"]["end_step"]


def _widen_interval(values: dict[str, Any]) -> None:
    values["lm loss"]["step_interval"] = 5


def _turn_to_text(values: dict[str, Any]) -> None:
    values["lm loss"]["values"]["2"] = "nan"


class UpstreamTest(parameterized.TestCase):
    def test_gives_back_every_byte(self) -> None:
        text = json.dumps(_VALUES, indent=4)
        golden = _import(text)
        self.assertEqual(upstream.to_text(golden), text)
        self.assertEqual(golden.series[1].first_iteration, 2)
        # The golden's own file keeps every byte, too.
        path = pathlib.Path(self.create_tempdir().full_path, "golden")
        files.write(golden, path)
        self.assertEqual(upstream.to_text(files.read(path)), text)

    def test_every_committed_one_gives_back_every_byte(self) -> None:
        paths = sorted(_FOLDER.glob("*.textproto"))
        self.assertLen(paths, 3)
        for path in paths:
            with self.subTest(path.name):
                golden = files.read(path)
                text = upstream.to_text(golden)
                # The golden has the digest of the file that was imported.
                self.assertEqual(
                    hashlib.sha256(text.encode()).hexdigest(),
                    golden.provenance.imported.source_digest,
                )

    @parameterized.parameters(
        _drop_step,
        _add_metric,
        _add_field,
        _drop_field,
        _widen_interval,
        _turn_to_text,
    )
    def test_refuses_what_it_would_lose(
        self, change: Callable[[dict[str, Any]], None]
    ) -> None:
        values = json.loads(json.dumps(_VALUES))
        change(values)
        with self.assertRaisesRegex(
            errors.GoldenError, "^not Megatron-LM's golden values, "
        ):
            _import(json.dumps(values, indent=4))

    @parameterized.parameters("", "[]", "{}", '"x"', "1", "nan", "{'a': 1}")
    def test_refuses_what_is_something_else(self, text: str) -> None:
        with self.assertRaisesRegex(
            errors.GoldenError, "^not Megatron-LM's golden values, "
        ):
            _import(text)

    def test_refuses_a_form_that_it_cannot_give_back(self) -> None:
        with self.assertRaisesRegex(errors.GoldenError, "would be lost"):
            _import(json.dumps(_VALUES))
        whole = json.loads(json.dumps(_VALUES))
        whole["lm loss"]["values"]["3"] = 9
        with self.assertRaisesRegex(errors.GoldenError, "would be lost"):
            _import(json.dumps(whole, indent=4))

    def test_our_own_can_be_exported(self) -> None:
        golden = _import(json.dumps(_VALUES, indent=4))
        golden.provenance.ClearField("imported")
        golden.series.add(metric="grad norm", ranks=[0], values=[1, 2, 3])
        golden.series.add(metric="zeros in grad", ranks=[0], values=[1, 2, 3])
        exported = json.loads(upstream.to_text(golden))
        self.assertEqual(
            list(exported), ["lm loss", "num-zeros", "iteration-time"]
        )

    def test_says_that_there_is_nothing_to_export(self) -> None:
        golden = _import(json.dumps(_VALUES, indent=4))
        del golden.series[:]
        with self.assertRaisesRegex(errors.GoldenError, "^gpt has none of"):
            upstream.to_text(golden)


if __name__ == "__main__":
    absltest.main()
