"""Opens reports of real runs in a real browser, and checks what it shows.

One run passes, and six have one fault each. The reports are among the test's
outputs, so that a person can look at them; screenshots.py takes pictures.
"""

import contextlib
import functools
import json
import os
import pathlib
import socket
from typing import Any, ClassVar

import torch
from absl.testing import absltest
from selenium import webdriver

from regress.ckpt import difference, flatten, formats
from regress.report.html import checkpoints, screenshots

_LEAST_CONTRAST = 4.5
_NAMES = (screenshots.PASS, *screenshots.FAULTS)
# In order; a report has those of which there is something to say.
_SECTIONS = (
    *("verdict", "curves", "state", "findings", "checks", "next"),
    *("processes", "costs", "environment", "history", "record"),
)

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
        cls.outputs = pathlib.Path(os.environ["TEST_UNDECLARED_OUTPUTS_DIR"])
        # Must be set before matplotlib is imported: it caches its fonts there.
        folder = pathlib.Path(os.environ["TEST_TMPDIR"])
        os.environ["MPLCONFIGDIR"] = str(folder / "matplotlib")
        with contextlib.ExitStack() as stack:
            cls.browser = stack.enter_context(screenshots.browser())
            screenshots.render(cls.outputs)
            cls.addClassCleanup(stack.pop_all().close)

    def _open(
        self,
        name: str,
        size: tuple[int, int] = screenshots.DESKTOP,
        scheme: str = "light",
    ) -> list[str]:
        """Opens a report, and returns all URLs that the browser requested."""
        screenshots.view(self.browser, size, scheme)
        for log in ("browser", "performance"):
            # Discards the entries of earlier pages.
            self.browser.get_log(log)
        self.browser.get(self._report(name).as_uri())
        return _requested(self.browser)

    def _report(self, name: str) -> pathlib.Path:
        return self.outputs / name / "report.html"

    def _script(self, script: str) -> Any:
        return self.browser.execute_script(script)

    def _count(self, selector: str) -> int:
        return len(self.browser.find_elements("css selector", selector))

    def test_nothing_is_fetched(self) -> None:
        for name in _NAMES:
            with self.subTest(name):
                uri = self._report(name).as_uri()
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
            path = self._report("fetching")
            path.parent.mkdir()
            path.write_text(f'<img src="{address}">')
            self.assertIn(address, self._open("fetching"))
            path.unlink()

    def test_curves_are_drawn(self) -> None:
        for name in _NAMES:
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
            (screenshots.PASS, False),
            ("group_collision_silent", True),
            ("numeric_drift_epsilon", True),
            # Everything before the crash is right.
            ("crash_in_step", False),
        ):
            with self.subTest(name):
                self._open(name)
                *_, differences = self._script(_LINES)
                self.assertEqual(bool(differences["lines"]), shown)

    def test_the_sections_are_in_order(self) -> None:
        headlines = {screenshots.PASS: "PASS"} | screenshots.FAULTS
        for name, headline in headlines.items():
            with self.subTest(name):
                self._open(name)
                self.assertEqual(self._headline(), headline)
                sections = self._script(
                    "return [...document.querySelectorAll('section')]"
                    ".map(section => section.id)"
                )
                self.assertEqual(
                    sections, [one for one in _SECTIONS if one in sections]
                )
                self.assertContainsSubset(
                    ["curves", "checks", "processes", "environment"], sections
                )
                failed = name != screenshots.PASS
                self.assertEqual("findings" in sections, failed)
                self.assertEqual(self._count("table.findings tr") > 1, failed)

    def test_failed_checks_come_first_and_the_others_are_folded(self) -> None:
        self._open("group_collision_silent")
        rows = self._script(
            "return [...document.querySelectorAll('#checks .status')]"
            ".map(e => [e.innerText, e.closest('details') !== null])"
        )
        self.assertEqual(rows[0], ["FAIL", False])
        self.assertNotIn(["ok", False], rows)
        self.assertNotIn(["FAIL", True], rows)

    def test_the_first_digit_that_differs_is_marked(self) -> None:
        self._open("group_collision_silent")
        pairs = self._script(
            "return [...document.querySelectorAll('.findings dl')]"
            ".map(dl => [...dl.querySelectorAll('dd')].map(dd => "
            "[dd.innerText, dd.querySelector('mark')?.innerText ?? '']))"
        )
        marked = [pair for pair in pairs if any(mark for _, mark in pair)]
        self.assertNotEmpty(marked)
        for (expected, first), (actual, second) in marked:
            self.assertIn(
                (first, second),
                [
                    (expected[place : place + 1], actual[place : place + 1])
                    for place in range(len(expected))
                    if expected[:place] == actual[:place]
                ],
            )
            self.assertNotEqual(first, second)

    def test_links_and_anchors_lead_somewhere(self) -> None:
        for name in _NAMES:
            with self.subTest(name):
                self._open(name)
                links = self._script(
                    "return [...document.querySelectorAll('a')]"
                    ".map(a => a.getAttribute('href'))"
                )
                files = [one for one in links if not one.startswith("#")]
                self.assertIn("attempt_1/rank_0.log", files)
                for one in files:
                    self.assertTrue((self.outputs / name / one).exists(), one)
                for one in links:
                    if one.startswith("#"):
                        self.assertEqual(self._count(one), 1, one)
                headings = self._count("h2")
                self.assertEqual(self._count("h2 > a[href^='#']"), headings)

    def test_a_click_copies_the_command(self) -> None:
        self._open("crash_in_step")
        self.browser.find_element("css selector", "button.copy").click()
        copied = self._script("return getSelection().toString()")
        self.assertStartsWith(copied, "tools/bazelw test //xxx")
        self.assertEmpty(self.browser.get_log("browser"))

    def test_all_text_has_one_font(self) -> None:
        self._open(screenshots.PASS)
        fonts = self._script(
            "return [...document.querySelectorAll('p, th, svg text')]"
            ".map(e => getComputedStyle(e).fontFamily)"
        )
        self.assertLen(set(fonts), 1, set(fonts))

    def _headline(self) -> str:
        return str(self.browser.find_element("css selector", "h1").text)

    def test_the_state_grid_shows_what_was_not_restored(self) -> None:
        self._open(screenshots.PASS)
        self.assertEqual(self._count(".grid td.bad"), 0)
        self.assertGreater(self._count(".grid td.good"), 20)
        self._open("group_collision_silent")
        bad = self.browser.find_elements("css selector", ".grid tr:has(td.bad)")
        self.assertEqual(
            [row.find_element("css selector", "th").text for row in bad],
            ["param group"],
        )

    def test_processes_and_environment_are_there(self) -> None:
        self._open(screenshots.PASS)
        self.assertEqual(self._count('#processes g[id*="killed-"]'), 4)
        self.assertGreater(self._count("#environment tbody tr"), 5)
        self.assertGreater(self._count("#checks tbody tr"), 20)

    def test_reads_on_a_phone_and_in_the_dark(self) -> None:
        for name in _NAMES:
            self._assert_reads(name)

    def test_the_page_of_checkpoints_does_so_too(self) -> None:
        path = self._report("checkpoints")
        path.parent.mkdir()
        path.write_text(_two_checkpoints())
        self._assert_reads("checkpoints")
        self.assertEqual(self._count(".grid td.bad"), 2)
        marked = self._script(
            "return [...document.querySelectorAll('mark')]"
            ".map(e => e.innerText)"
        )
        self.assertEqual(marked, ["5", "7"])
        self.assertEmpty(self.browser.get_log("browser"))

    def _assert_reads(self, name: str) -> None:
        """Fails unless all of a page can be read, whatever it is shown on."""
        for size_name, size in screenshots.SIZES.items():
            papers = set()
            for scheme in screenshots.SCHEMES:
                with self.subTest(f"{name} {size_name} {scheme}"):
                    self._open(name, size, scheme)
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
        for name in _NAMES:
            self.assertLess(self._report(name).stat().st_size, 500_000, name)


def _two_checkpoints() -> str:
    """Returns a page of two that differ, with names that are long."""
    layers = ".layer" * 60
    ranks = [f"mp_rank_00_{rank:03}" for rank in range(16)]
    of_a = {"w": torch.tensor([2.5])}
    of_b = {"w": torch.tensor([2.75]), layers: 1}
    a, b = (
        formats.Checkpoint(
            pathlib.Path(f"/{layers}/x"),
            "Megatron torch",
            {
                rank: functools.partial(flatten.flatten, one, rank)
                for rank, one in {
                    **dict.fromkeys(ranks, of_a),
                    ranks[3]: of_rank_3,
                }.items()
            },
        )
        for of_rank_3 in (of_a, of_b)
    )
    return checkpoints.render(difference.compare(a, b))


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
