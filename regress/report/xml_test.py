"""Tests for rendering verdicts as JUnit XML."""

import textwrap
import xml.etree.ElementTree as ET

from absl.testing import absltest, parameterized

from regress.oracle import verdict_pb2
from regress.report import finding_test_helper as helper
from regress.report import summary, wording
from regress.report import xml as xml_report

_Verdict = verdict_pb2.Verdict


def _verdict() -> verdict_pb2.Verdict:
    return _Verdict(
        conclusion=_Verdict.NUMERIC_DRIFT,
        environment_differences=[
            verdict_pb2.EnvironmentDifference(
                name="<torch>",
                expected=verdict_pb2.Value(text="2.12.0"),
                actual=verdict_pb2.Value(text="2.13.0"),
            )
        ],
        outline=verdict_pb2.Outline(has_golden=True),
        checks=[
            verdict_pb2.Check(
                oracle=verdict_pb2.RESUME_PROOF,
                name="no rank crashed",
                compared=8,
            ),
            verdict_pb2.Check(
                oracle=verdict_pb2.GOLDEN,
                name="attempt 0: metrics",
                compared=195,
                differing=1,
                conclusion=_Verdict.NUMERIC_DRIFT,
            ),
        ],
        findings=[
            helper.make(
                helper.metric(),
                1.0,
                1.5,
                oracle=verdict_pb2.GOLDEN,
                check="attempt 0: metrics",
                attempt=0,
                rank=3,
                iteration=2,
                end=helper.said("It drifted."),
                absolute=0.5,
                relative=0.5,
                ulps=4194304,
            ),
            helper.make(
                "not of this check",
                oracle=verdict_pb2.REPLAY,
                check="another check",
            ),
        ],
    )


class RenderTest(parameterized.TestCase):
    def test_renders_a_test_case_for_each_check(self):
        self.assertEqual(
            xml_report.render(_verdict()),
            textwrap.dedent("""\
                <?xml version="1.0" encoding="UTF-8"?>
                <testsuites>
                  <testsuite name="regress" tests="2" failures="1" errors="0">
                    <properties>
                      <property name="conclusion" value="NUMERIC_DRIFT" />
                      <property name="summary" value="{summary}" />
                      <property name="environment" value="&lt;torch&gt;: 2.13.0, golden 2.12.0" />
                    </properties>
                    <testcase classname="regress.resume_proof" name="no rank crashed" />
                    <testcase classname="regress.golden" name="attempt 0: metrics">
                      <failure message="FAIL: 1 of 195 differ" type="NUMERIC_DRIFT">lm loss (attempt 0, rank 3, iteration 2)
                expected: 1.0 (0x1p+0)
                actual: 1.5 (0x1.8p+0)
                difference: absolute 0.5, relative 0.5, ulps 4194304
                {explanation}</failure>
                    </testcase>
                  </testsuite>
                </testsuites>
                """).format(  # noqa: E501
                summary=summary.summarize(_verdict()),
                explanation=wording.explanation(_verdict().findings[0]),
            ),
        )

    @parameterized.parameters(
        (0, 0, _Verdict.NUMERIC_DRIFT, "FAIL: nothing to compare"),
        (0, 0, _Verdict.NOT_RESUMED, "no data: nothing to compare"),
        (9, 2, _Verdict.NOT_RESUMED, "fails too: 2 of 9 differ"),
    )
    def test_says_of_a_check_what_the_console_says(
        self, compared, differing, by_itself, message
    ):
        verdict = _Verdict(
            conclusion=_Verdict.NUMERIC_DRIFT,
            checks=[
                verdict_pb2.Check(
                    compared=compared,
                    differing=differing,
                    conclusion=by_itself,
                )
            ],
        )
        suite = ET.fromstring(xml_report.render(verdict))[0]
        self.assertEqual(suite.get("failures"), "1")
        (failure,) = suite.iter("failure")
        self.assertEqual(failure.get("message"), message)
        self.assertEqual(
            failure.get("type"), _Verdict.Conclusion.Name(by_itself)
        )

    def test_names_a_known_bug(self):
        verdict = _verdict()
        verdict.known_bug.exchanged.ranks.append(3)
        self.assertIn(
            '<property name="known bug" value="On rank 3 ',
            xml_report.render(verdict),
        )

    def test_is_well_formed_whatever_a_log_says(self):
        said = "\x00\x1b[31m ]]> & <tag> \ud800 \uffff é"
        verdict = _verdict()
        verdict.findings[0].end.CopyFrom(
            helper.said(said.replace("\ud800", ""))
        )
        suite = ET.fromstring(xml_report.render(verdict))[0]
        (failure,) = suite.iter("failure")
        self.assertIn(
            "\ufffd\ufffd[31m ]]> & <tag>  \ufffd é", failure.text or ""
        )


if __name__ == "__main__":
    absltest.main()
