"""Tests for the HTML report, mostly with incomplete or oversized records."""

import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

from absl.testing import absltest, parameterized

# Must be set before matplotlib is imported: it caches its fonts there.
os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp(dir=os.environ["TEST_TMPDIR"])

from regress.case import case_pb2
from regress.golden import golden_pb2
from regress.oracle import verdict_pb2
from regress.report import finding_test_helper as helper
from regress.report import next_steps
from regress.report.html import page
from regress.run import run_pb2

_Verdict = verdict_pb2.Verdict


def _run(
    attempts: int, iterations: int, name: str = "small"
) -> run_pb2.RunRecord:
    return run_pb2.RunRecord(
        case=case_pb2.Case(
            name=name, training=case_pb2.Training(iterations=iterations)
        ),
        attempts=[
            run_pb2.Attempt(
                index=attempt,
                ranks=[
                    run_pb2.RankRecord(
                        rank=rank,
                        events=[
                            run_pb2.Event(
                                step=run_pb2.StepMetrics(
                                    iteration=iteration,
                                    lm_loss=1 / iteration,
                                    grad_norm=2 / iteration,
                                )
                            )
                            for iteration in range(1, iterations + 1)
                        ],
                    )
                    for rank in range(2)
                ],
            )
            for attempt in range(attempts)
        ],
    )


def _golden(*metrics: str, iterations: int = 4) -> golden_pb2.Golden:
    return golden_pb2.Golden(
        iterations=iterations,
        series=[
            golden_pb2.Series(
                metric=metric, ranks=[1], values=[1.0] * iterations
            )
            for metric in metrics
        ],
    )


def _svgs(text: str) -> list[ET.Element]:
    """Parses all charts, which fails unless each is well-formed."""
    return [
        ET.fromstring(one)
        for one in re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    ]


class RenderTest(parameterized.TestCase):
    @parameterized.parameters(0, 1, 2, 3)
    def test_any_number_of_attempts_will_do(self, attempts: int) -> None:
        text = page.render(
            _Verdict(conclusion=_Verdict.CRASH),
            _run(attempts, 4),
            _golden("lm loss"),
        )
        self.assertIn("<h1>FAIL: crash</h1>", text)
        self.assertNotEmpty(_svgs(text))

    @parameterized.parameters(
        golden_pb2.Golden(),
        # A golden with two series of the same metric.
        _golden("lm loss", "lm loss"),
    )
    def test_any_golden_will_do(self, golden: golden_pb2.Golden) -> None:
        verdict = _Verdict(conclusion=_Verdict.STALE_GOLDEN)
        text = page.render(verdict, _run(2, 4), golden)
        self.assertIn("<h1>FAIL: stale golden</h1>", text)

    def test_without_a_golden_nothing_is_said_of_one(self) -> None:
        run = _run(2, 4)
        started = run.attempts[0].ranks[0].events.add().started
        started.environment.versions["torch"] = "2.11.0"
        text = page.render(_Verdict(conclusion=_Verdict.PASS), run, None)
        self.assertIn("small, no golden", text)
        drawings_left_out = re.sub(
            r"<(svg|style).*?</\1>", "", text, flags=re.S
        )
        # One says that there is none; the other, what a pass does not cover.
        self.assertEqual(drawings_left_out.count("golden"), 2)
        # Two metrics and the processes.
        self.assertLen(_svgs(text), 3)
        self.assertIn("<th>this run</th>", text)

    def test_shows_what_a_resume_took(self) -> None:
        verdict = _Verdict(
            conclusion=_Verdict.PASS,
            resume_costs=[
                verdict_pb2.ResumeCost(
                    attempt=1,
                    rank=rank,
                    peak_bytes_before=100 << 20,
                    peak_bytes=150 << 20,
                    exceeded_bound=1.1 if rank else None,
                )
                for rank in (0, 1)
            ],
        )
        text = page.render(verdict, run_pb2.RunRecord(), _golden())
        self.assertEqual(text.count("before (1.50 times)</td>"), 2)
        self.assertEqual(text.count("The memory of rank 1 of attempt 1"), 1)
        self.assertNotIn("The memory of rank 0", text)

    def test_nothing_at_all_will_do(self) -> None:
        text = page.render(_Verdict(), run_pb2.RunRecord(), _golden())
        self.assertIn("</html>", text)

    def test_text_is_no_markup(self) -> None:
        evil = '<script>alert("&")</script>'
        text = page.render(
            _Verdict(
                conclusion=_Verdict.CRASH,
                known_bug=verdict_pb2.KnownBug(
                    exchanged=verdict_pb2.GroupCollision(taker=evil)
                ),
                environment_differences=[
                    verdict_pb2.EnvironmentDifference(name=evil)
                ],
                checks=[verdict_pb2.Check(name=evil)],
                findings=[
                    helper.make(
                        evil, evil, evil, end=helper.said(evil), check=evil
                    )
                ],
            ),
            _run(1, 2, name=evil),
            _golden("lm loss"),
            next_steps.NextSteps((next_steps.Step(evil, evil),), evil),
        )
        # The page's own script, and no other.
        self.assertEqual(text.count("<script"), 1)
        self.assertGreaterEqual(text.count("&lt;script&gt;"), 10)

    def test_a_long_name_breaks_between_its_parts(self) -> None:
        finding = helper.make(helper.entry("chunk 0/param/a.<b>_c"), "1", "2")
        text = page.render(
            _Verdict(conclusion=_Verdict.CRASH, findings=[finding]),
            run_pb2.RunRecord(),
            None,
        )
        self.assertIn("chunk 0/<wbr>param/<wbr>a.<wbr>&lt;b&gt;_<wbr>c", text)

    def test_its_script_may_run(self) -> None:
        text = page.render(_Verdict(), run_pb2.RunRecord(), None)
        script = text.partition("<script>")[2].partition("</script>")[0]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest())
        self.assertIn(f"script-src 'sha256-{digest.decode()}'", text)

    def test_links_what_is_beside_it(self) -> None:
        files = [
            "verdict.textproto",
            "attempt_0/rank_1.log",
            "repeat/attempt_0/rank_0.log",
        ]
        text = page.render(
            _Verdict(conclusion=_Verdict.PASS),
            _run(1, 2),
            None,
            beside=[*files, "other.txt"],
        )
        self.assertCountEqual(
            re.findall(r'href="((?!#|data:)[^"]*)"', text), files
        )
        self.assertIn("Logs of repeat, attempt 0", text)

    def test_names_of_drawings_are_each_ones_own(self) -> None:
        text = page.render(
            _Verdict(conclusion=_Verdict.PASS),
            _run(2, 4),
            _golden("lm loss", "grad norm"),
        )
        names = re.findall(r'\bid="([^"]*)"', text)
        self.assertNotEmpty(names)
        self.assertLen(set(names), len(names))
        for name in re.findall(r'(?:href="|url\()#([^")]*)', text):
            self.assertIn(name, names)

    def test_has_every_colour_in_both_schemes(self) -> None:
        text = page.render(
            _Verdict(conclusion=_Verdict.PASS), _run(2, 4), _golden("lm loss")
        )
        light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
        used = set(re.findall(r"var\((--[\w-]+)\)", text))
        for scheme in (light, dark):
            self.assertContainsSubset(
                used, set(re.findall(r"(--[\w-]+):", scheme))
            )
        # No fixed colors: black would be invisible on a dark page.
        for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
            self.assertNotRegex(drawing, r"#[0-9a-f]{6}\b")

    def test_a_long_record_makes_no_large_file(self) -> None:
        iterations = 20_000
        text = page.render(
            _Verdict(conclusion=_Verdict.NUMERIC_DRIFT),
            _run(1, iterations),
            _golden("lm loss", "grad norm", iterations=iterations),
        )
        self.assertLess(len(text), 500_000)


class RenderGoldensTest(absltest.TestCase):
    def test_one_or_two(self) -> None:
        golden = _golden("lm loss", "grad norm")
        golden.history.add(date="2026-11-24", reason="A new kernel.")
        text = page.render_goldens(golden, None)
        self.assertLen(_svgs(text), 2)
        self.assertIn("A new kernel.", text)
        # A third chart shows the difference.
        text = page.render_goldens(golden, _golden("lm loss"))
        self.assertLen(_svgs(text), 3)


class FontsTest(absltest.TestCase):
    def test_the_fonts_of_the_machine_are_not_looked_for(self) -> None:
        folder = pathlib.Path(self.create_tempdir().full_path)
        program = folder / "fc-list"
        program.write_text("#!/bin/sh\necho it was called >&2\n")
        program.chmod(0o755)
        run = subprocess.run(
            [
                sys.executable,
                "-c",
                "import os\nfrom regress.report.html import chart\n"
                "print(os.environ.get('MPL_IGNORE_SYSTEM_FONTS'))",
            ],
            env={
                "MPLCONFIGDIR": str(folder),
                "PATH": str(folder),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            capture_output=True,
            text=True,
        )
        # What the program starts later is to find them.
        self.assertEqual((run.stdout, run.stderr), ("None\n", ""))


if __name__ == "__main__":
    absltest.main()
