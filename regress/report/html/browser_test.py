"""Opens reports of real runs in a real browser, and checks what it shows.

One run passes, and three have one fault each. The reports and screenshots of
them are among the test's outputs, so that a person can look at them.
"""

import base64
import json
import os
import pathlib
import socket
from typing import Any, ClassVar

from absl.testing import absltest
from selenium import webdriver

from regress.oracle import verdict_pb2
from regress.report import next_steps
from regress.testing.faults import catalogue, harness

# From Debian's packages chromium and chromium-driver.
_BROWSER = "/usr/bin/chromium"
_DRIVER = "/usr/bin/chromedriver"

# The headline of the report, by fault.
_FAULTS = {
    "group_collision_silent": "FAIL: resume divergence",
    "numeric_drift_epsilon": "FAIL: numeric drift",
    "crash_in_step": "FAIL: crash",
}
_NEXT_STEPS = next_steps.NextSteps(
    (next_steps.Step("To see more:", f"tools/bazelw test //{'x' * 200}"),),
    "outputs.zip",
)
_DESKTOP = (1280, 900)
_PHONE = (360, 740)
_LEAST_CONTRAST = 4.5

# Returns the lowest contrast ratio (WCAG 2) of all text on the page.
_CONTRAST = """
const colour = text => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(
    v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4
  ).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = element => {
  for (let e = element; e; e = e.parentElement) {
    const found = colour(getComputedStyle(e).backgroundColor);
    if (found.length === 3 || found[3] > 0) return found;
  }
  return [255, 255, 255];
};
let least = 21;
const read = 'h1,p,td,th,dd,dt,li,code,small,svg text';
for (const element of document.querySelectorAll(read)) {
  const style = getComputedStyle(element);
  const ink = colour(element.closest('svg') ? style.fill : style.color);
  const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
  least = Math.min(least, (a + 0.05) / (b + 0.05));
}
return least;
"""

# Returns the lines in each chart, with their width, height and color.
_LINES = """
return [...document.querySelectorAll('section#curves figure')].map(figure => ({
  title: figure.querySelector('figcaption').innerText,
  width: figure.querySelector('svg').getBoundingClientRect().width,
  lines: [...figure.querySelectorAll('svg g[id*="-curve-"] > path')]
    .filter(path => getComputedStyle(path).stroke !== 'none')
    .map(path => ({
      width: path.getBoundingClientRect().width,
      height: path.getBoundingClientRect().height,
      colour: getComputedStyle(path).stroke,
    })),
  interruption: figure.querySelectorAll('svg g[id$="-interruption"]').length,
}));
"""


class BrowserTest(absltest.TestCase):
    outputs: ClassVar[pathlib.Path]
    browser: ClassVar[webdriver.Chrome]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        for program in (_BROWSER, _DRIVER):
            if not pathlib.Path(program).exists():
                raise FileNotFoundError(
                    f"expected {program}, found none: install Debian's "
                    "packages chromium and chromium-driver, as .ci/run does"
                )
        cls.outputs = pathlib.Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"])
        folder = pathlib.Path(os.environ["TEST_TMPDIR"])
        # Must be set before matplotlib is imported: it caches its fonts there.
        os.environ["MPLCONFIGDIR"] = str(folder / "matplotlib")
        from regress.report.html import page

        with harness.Harness(folder / "runs") as runs:
            outcomes = {"pass": runs.control()}
            for name in _FAULTS:
                outcomes[name] = runs.run(catalogue.BY_NAME[name])
        for name, outcome in outcomes.items():
            passed = outcome.verdict.conclusion == verdict_pb2.Verdict.PASS
            text = page.render(
                outcome.verdict,
                outcome.record,
                outcome.golden,
                None if passed else _NEXT_STEPS,
            )
            (cls.outputs / f"{name}.html").write_text(text, encoding="utf-8")
        cls.browser = _start(folder / "browser")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.browser.quit()
        super().tearDownClass()

    def _open(
        self, name: str, size: tuple[int, int] = _DESKTOP, scheme: str = "light"
    ) -> list[str]:
        """Opens a report, and returns all URLs that the browser requested."""
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {
                "width": size[0],
                "height": size[1],
                "deviceScaleFactor": 1,
                "mobile": size == _PHONE,
            },
        )
        for log in ("browser", "performance"):
            # Discards the entries of earlier pages.
            self.browser.get_log(log)
        self.browser.get((self.outputs / f"{name}.html").as_uri())
        return _requested(self.browser)

    def _picture(self, name: str) -> None:
        picture = self.browser.execute_cdp_cmd(
            "Page.captureScreenshot",
            {"captureBeyondViewport": True, "format": "png"},
        )
        path = self.outputs / f"{name}.png"
        path.write_bytes(base64.b64decode(picture["data"]))

    def _script(self, script: str) -> Any:
        return self.browser.execute_script(script)

    def _count(self, selector: str) -> int:
        return len(self.browser.find_elements("css selector", selector))

    def test_nothing_is_fetched(self) -> None:
        for name in ("pass", *_FAULTS):
            with self.subTest(name):
                uri = (self.outputs / f"{name}.html").as_uri()
                asked = self._open(name)
                self.assertEqual(
                    [one for one in asked if not one.startswith("data:")],
                    [uri],
                )
                self.assertEmpty(self.browser.get_log("browser"))

    def test_a_fetch_would_be_seen(self) -> None:
        with socket.socket() as closed:
            # Bound but not listening, the socket refuses connections.
            closed.bind(("127.0.0.1", 0))
            address = f"http://127.0.0.1:{closed.getsockname()[1]}/x.png"
            path = self.outputs / "fetching.html"
            path.write_text(f'<img src="{address}">')
            self.assertIn(address, self._open("fetching"))
            path.unlink()

    def test_curves_are_drawn(self) -> None:
        for name in ("pass", *_FAULTS):
            with self.subTest(name):
                self._open(name)
                charts = self._script(_LINES)
                titles = [one["title"].splitlines()[0] for one in charts]
                self.assertLen(titles, 4, titles)
                for title, wanted in zip(
                    titles,
                    ("lm loss", "grad norm", "learning rate", "distance"),
                    strict=True,
                ):
                    self.assertStartsWith(title, wanted)
                for one in charts[:3]:
                    curves = [
                        line
                        for line in one["lines"]
                        if line["height"] > 20 and line["width"] > 20
                    ]
                    # The golden, attempt 0 and, if it trained, attempt 1.
                    self.assertGreaterEqual(len(curves), 2, one)
                    self.assertGreater(one["width"], 300)
                self.assertEqual(
                    [one["interruption"] for one in charts], [1] * 4
                )

    def test_a_fault_shows_its_difference(self) -> None:
        for name, shown in (
            ("pass", False),
            ("group_collision_silent", True),
            ("numeric_drift_epsilon", True),
            # Everything before the crash is right.
            ("crash_in_step", False),
        ):
            with self.subTest(name):
                self._open(name)
                *_, differences = self._script(_LINES)
                self.assertEqual(bool(differences["lines"]), shown)

    def test_verdict_and_findings_come_first(self) -> None:
        self._open("pass")
        self.assertEqual(self._headline(), "PASS")
        self.assertEqual(self._count("section#findings"), 0)
        for name, headline in _FAULTS.items():
            with self.subTest(name):
                self._open(name)
                self.assertEqual(self._headline(), headline)
                self.assertGreater(self._count(".finding"), 0)
                sections = [
                    element.get_attribute("id")
                    for element in self.browser.find_elements(
                        "css selector", "section"
                    )
                ]
                self.assertEqual(
                    sections[:4], ["verdict", "next", "findings", "curves"]
                )

    def _headline(self) -> str:
        return str(self.browser.find_element("css selector", "h1").text)

    def test_the_state_grid_shows_what_was_not_restored(self) -> None:
        self._open("pass")
        self.assertEqual(self._count(".grid td.bad"), 0)
        self.assertGreater(self._count(".grid td.good"), 20)
        self._open("group_collision_silent")
        bad = self.browser.find_elements("css selector", ".grid tr:has(td.bad)")
        self.assertEqual(
            [row.find_element("css selector", "th").text for row in bad],
            ["param group"],
        )

    def test_processes_and_environment_are_there(self) -> None:
        self._open("pass")
        self.assertEqual(self._count('#processes g[id*="killed-"]'), 4)
        self.assertGreater(self._count("#environment tbody tr"), 5)
        self.assertGreater(self._count("#checks tbody tr"), 20)

    def test_reads_on_a_phone_and_in_the_dark(self) -> None:
        for name in ("pass", *_FAULTS):
            for size_name, size in (("desktop", _DESKTOP), ("phone", _PHONE)):
                papers = set()
                for scheme in ("light", "dark"):
                    with self.subTest(f"{name} {size_name} {scheme}"):
                        self._open(name, size, scheme)
                        self._picture(f"{name}_{size_name}_{scheme}")
                        # The page fits, without horizontal scrolling.
                        self.assertLessEqual(
                            self._script(
                                "return document.documentElement.scrollWidth"
                            ),
                            size[0],
                        )
                        self.assertGreaterEqual(
                            self._script(_CONTRAST), _LEAST_CONTRAST
                        )
                        papers.add(
                            self._script(
                                "return getComputedStyle(document.body)"
                                ".backgroundColor"
                            )
                        )
                self.assertLen(papers, 2)

    def test_is_light_enough_for_a_phone(self) -> None:
        for name in ("pass", *_FAULTS):
            self.assertLess(
                (self.outputs / f"{name}.html").stat().st_size, 500_000, name
            )


def _start(profile: pathlib.Path) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = _BROWSER
    for flag in (
        "--headless=new",
        # Bazel already runs this in a sandbox, and Chromium's own does not work
        # for root.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(flag)
    options.set_capability(
        "goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"}
    )
    return webdriver.Chrome(
        options=options, service=webdriver.ChromeService(_DRIVER)
    )


def _requested(browser: webdriver.Chrome) -> list[str]:
    messages = [
        json.loads(entry["message"])["message"]
        for entry in browser.get_log("performance")
    ]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


if __name__ == "__main__":
    absltest.main()
