"""Tests for the page of two checkpoints."""

import functools
import pathlib
import re
from typing import Any

import torch
from absl.testing import absltest

from regress.ckpt import difference, flatten, formats
from regress.report.html import checkpoints


def _checkpoint(
    ranks: dict[str, dict[str, Any]], *unread: str
) -> formats.Checkpoint:
    return formats.Checkpoint(
        pathlib.Path("/x"),
        "made up",
        {
            rank: functools.partial(flatten.flatten, one, rank)
            for rank, one in ranks.items()
        },
        unread,
    )


def _page(a: formats.Checkpoint, b: formats.Checkpoint) -> str:
    return checkpoints.render(difference.compare(a, b))


def _text(page: str) -> str:
    """Returns what is between tags, with bars where tags are."""
    body = re.sub(r"<(style|script).*?</\1>", "", page, flags=re.S)
    return re.sub(r"(\s*<[^>]*>\s*)+", "|", body.replace("<wbr>", ""))


_MARKED = re.compile(r"<dd>(.*?)<mark>(.*?)</mark>(.*?)</dd>")


class CheckpointsTest(absltest.TestCase):
    def test_the_same_is_said_in_one_line(self) -> None:
        one = _checkpoint({"": {"w": torch.zeros(2)}})
        text = _text(_page(one, one))
        self.assertIn("|SAME|1 name, 8 bytes, bit for bit.|", text)
        self.assertIn("|component|all ranks|weights|= 1|", text)
        self.assertNotIn("Differences", text)

    def test_differences_stand_by_kind_and_rank(self) -> None:
        weight = torch.tensor([1.0, 2.5])
        ranks: list[dict[str, Any]] = [
            {
                f"mp_rank_0{rank}": {
                    "model": {"w": weight, "v": weight},
                    "rng_state": torch.zeros(3, dtype=torch.uint8),
                    own: 1,
                }
                for rank in range(2)
            }
            for own in ("in_a", "in_b")
        ]
        ranks[1]["mp_rank_01"]["model"]["w"] = torch.tensor([1.0, 2.75])
        ranks[1]["mp_rank_00"]["rng_state"] = torch.ones(3, dtype=torch.uint8)
        a, b = (_checkpoint(one) for one in ranks)
        page = _page(a, b)
        text = _text(page)
        self.assertIn("|DIFFERENT|in 6 names; in both: 6 names, ", text)
        self.assertIn("|component|mp_rank_00|mp_rank_01|", text)
        self.assertIn("|weights|= 2|&ne; 1|of 2|random streams|&ne; 1|", text)
        self.assertIn("|2 only in A, 2 only in B, 2 other value.|", text)
        self.assertIn(
            "|mp_rank_01|model/w|A|2.|5|B|2.|7|5|1 of 2|up to 1,048,576 ulps|"
            "first at [1]|",
            text,
        )
        self.assertEqual(
            _MARKED.findall(page)[:2], [("2.", "5", ""), ("2.", "7", "5")]
        )
        # One side alone has one value.
        self.assertIn(
            "|Only in A|rank|name|what it is|mp_rank_00|in_a|A|", text
        )
        self.assertIn("|mp_rank_01|in_b|B|int 1|", text)

    def test_all_that_a_checkpoint_says_is_escaped_and_cut(self) -> None:
        long = "x" * 5000
        a = _checkpoint({"": {"<b>": f"{long}<i>a{long}"}}, "<u>")
        b = _checkpoint({"": {"<b>": f"{long}<i>b{long}"}})
        page = _page(a, b)
        for tag in ("<b>", "<i>", "<u>"):
            self.assertNotIn(tag, page)
        self.assertNotIn("x" * 200, page)
        # The difference is what remains.
        self.assertIn("&lt;i&gt;<mark>a</mark>xxx", page)

    def test_many_differences_are_folded_and_the_rest_is_counted(self) -> None:
        a, b = (
            _checkpoint({"": {f"w{n}": x for n in range(1500)}}) for x in (1, 2)
        )
        page = _page(a, b)
        self.assertEqual(page.count('<td class="what-differs">'), 1000)
        self.assertIn("<summary>990 more</summary>", page)
        self.assertIn("... and 500 more; ", page)
        self.assertLess(len(page), 500_000)

    def test_nothing_is_fetched(self) -> None:
        one = _checkpoint({"": {"w": 1}})
        page = _page(one, _checkpoint({"": {"w": 2}}))
        self.assertIn("default-src 'none'", page)
        self.assertEmpty(
            [
                one
                for one in re.findall(r'(?:src|href)="([^"]*)', page)
                if not one.startswith(("#", "data:"))
            ]
        )


if __name__ == "__main__":
    absltest.main()
