"""Tests that what is drawn can be seen, in the light and in the dark theme."""

import pathlib
import re

from absl.testing import absltest

from regress.report.html import palette

# WCAG 2.1, 1.4.11: graphics.
_LEAST_CONTRAST = 3.0


def _light(color: str) -> float:
    """Returns the relative luminance of a color such as "#1b1f24"."""
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4
        for one in channels
    ]
    return sum(
        part * one
        for part, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


def contrast(one: str, other: str) -> float:
    """Returns the contrast ratio of two colors, from 1 to 21."""
    darker, lighter = sorted((_light(one), _light(other)))
    return (lighter + 0.05) / (darker + 0.05)


class PaletteTest(absltest.TestCase):
    def test_the_ratio_is_that_of_the_standard(self) -> None:
        self.assertAlmostEqual(contrast("#000000", "#ffffff"), 21)
        self.assertAlmostEqual(contrast("#777777", "#ffffff"), 4.478, places=3)

    def test_everything_drawn_stands_out_from_the_paper(self) -> None:
        style = pathlib.Path(palette.__file__).with_name("style.css")
        schemes = re.findall(r":root \{(.*?)\}", style.read_text(), re.DOTALL)
        self.assertLen(schemes, 2)
        for scheme in schemes:
            colors = dict(re.findall(r"--([\w-]+): (#\w{6});", scheme))
            for role in palette.ROLES:
                if role != "paper":
                    with self.subTest(f"{role} {colors[role]}"):
                        self.assertGreaterEqual(
                            contrast(colors[role], colors["paper"]),
                            _LEAST_CONTRAST,
                        )


if __name__ == "__main__":
    absltest.main()
