"""Makes reports of real runs, and pictures of them in a real browser.

    tools/bazelw run //regress/report/html:screenshots

trains one run that passes and six with one fault each, and takes four pictures
of each report: for a desktop and a phone, in the light and in the dark theme.
They are for a person to look at; browser_test checks what can be checked.
"""

import base64
import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence

from absl import app, flags
from selenium import webdriver

from regress.oracle import verdict_pb2
from regress.report import next_steps
from regress.testing.faults import catalogue, harness

_OUTPUT = flags.DEFINE_string(
    "output",
    "",
    "An empty folder for the pictures; a new one if none is given.",
)

# From Debian's packages chromium and chromium-driver.
_BROWSER = "/usr/bin/chromium"
_DRIVER = "/usr/bin/chromedriver"

PASS = "pass"
# The headline of the report, by fault.
FAULTS = {
    "group_collision_silent": "FAIL: resume divergence",
    "optimizer_not_loaded": "FAIL: resume divergence",
    "numeric_drift_epsilon": "FAIL: numeric drift",
    "nondeterministic_step": "FAIL: nondeterminism",
    "crash_in_step": "FAIL: crash",
    "hang_in_step": "FAIL: hang",
}
DESKTOP = (1280, 900)
PHONE = (390, 844)
SIZES = {"desktop": DESKTOP, "phone": PHONE}
SCHEMES = ("light", "dark")
_NEXT_STEPS = next_steps.NextSteps(
    (next_steps.Step("To see more:", f"tools/bazelw test //{'x' * 200}"),),
    "outputs.zip",
)


def render(output: pathlib.Path) -> None:
    """Trains, and writes `<name>/report.html` with the record beside it.

    Set MPLCONFIGDIR before: matplotlib caches its fonts there.
    """
    from regress.report.html import page

    with tempfile.TemporaryDirectory() as own:
        runs = pathlib.Path(own)
        with harness.Harness(runs) as faults:
            outcomes = {PASS: faults.control()}
            for name in FAULTS:
                outcomes[name] = faults.run(catalogue.BY_NAME[name])
        for name, outcome in outcomes.items():
            folder = output / name
            kept = runs / ("control" if name == PASS else name) / "outputs"
            shutil.copytree(kept, folder, ignore=_ALL_BUT_LOGS)
            (folder / "verdict.textproto").write_text(str(outcome.verdict))
            beside = [
                path.relative_to(folder).as_posix()
                for path in folder.rglob("*")
                if path.is_file()
            ]
            passed = outcome.verdict.conclusion == verdict_pb2.Verdict.PASS
            text = page.render(
                outcome.verdict,
                outcome.record,
                outcome.golden,
                None if passed else _NEXT_STEPS,
                beside,
            )
            (folder / "report.html").write_text(text, encoding="utf-8")


_ALL_BUT_LOGS = shutil.ignore_patterns("*.binpb", "*.events")


@contextlib.contextmanager
def browser() -> Iterator[webdriver.Chrome]:
    """Starts a browser; it ends with the context.

    Raises:
        FileNotFoundError: The machine has no browser.
    """
    for program in (_BROWSER, _DRIVER):
        if not pathlib.Path(program).exists():
            raise FileNotFoundError(
                f"expected {program}, found none: install Debian's packages "
                "chromium and chromium-driver, as .ci/run does"
            )
    with tempfile.TemporaryDirectory() as profile:
        started = _start(profile)
        try:
            yield started
        finally:
            started.quit()


def _start(profile: str) -> webdriver.Chrome:
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


def view(chrome: webdriver.Chrome, size: tuple[int, int], scheme: str) -> None:
    """Gives all pages from now on this size and color scheme."""
    chrome.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
    )
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {
            "width": size[0],
            "height": size[1],
            "deviceScaleFactor": 1,
            "mobile": size == PHONE,
        },
    )


def take(chrome: webdriver.Chrome, path: pathlib.Path) -> None:
    """Writes a picture of the whole page that is open."""
    picture = chrome.execute_cdp_cmd(
        "Page.captureScreenshot",
        {"captureBeyondViewport": True, "format": "png"},
    )
    path.write_bytes(base64.b64decode(picture["data"]))


def main(argv: Sequence[str]) -> None:
    """Makes all pictures."""
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected argument: {argv[1]}")
    output = pathlib.Path(
        _OUTPUT.value or tempfile.mkdtemp(prefix="regress_screenshots_")
    )
    with tempfile.TemporaryDirectory() as fonts:
        os.environ.setdefault("MPLCONFIGDIR", fonts)
        with browser() as chrome:
            render(output)
            for name in (PASS, *FAULTS):
                for size_name, size in SIZES.items():
                    for scheme in SCHEMES:
                        view(chrome, size, scheme)
                        report = output / name / "report.html"
                        chrome.get(report.absolute().as_uri())
                        take(
                            chrome, output / f"{name}_{size_name}_{scheme}.png"
                        )
    print(f"The pictures and the reports are in {output}.")


if __name__ == "__main__":
    app.run(main)
