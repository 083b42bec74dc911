"""Tests for resolving a release, with the real pip."""

from collections.abc import Mapping

from absl.testing import absltest

from tools.bisect import errors, index_test_helper, resolution
from tools.python import lock_file

_OTHER = "0" * 64


class ResolveTest(absltest.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.index = index_test_helper.FakeIndex()
        self.locked: dict[str, lock_file.Distribution] = {}

    def add(self, name: str, version: str, *requires: str) -> str:
        return self.index.add(name, version, requires=requires)

    def pin(self, name: str, version: str, sha256: str) -> None:
        self.locked[name] = lock_file.Distribution(name, version, (sha256,))

    def resolve(
        self, release: str, *needed: str
    ) -> tuple[Mapping[str, str], tuple[str, ...]]:
        with self.index.serve():
            found = resolution.resolve(release, needed, self.locked)
        return {str(pin): pin.hashes[0] for pin in found.pins}, found.moved

    def test_all_else_stays_as_it_is_pinned(self) -> None:
        foo = self.add("foo", "1.0", "bar")
        self.add("foo", "2.0", "bar")
        bar = self.add("bar", "1.0")
        self.add("bar", "2.0")
        self.pin("foo", "2.0", _OTHER)
        self.pin("bar", "1.0", bar)
        self.assertEqual(
            self.resolve("foo==1.0"), ({"foo==1.0": foo, "bar==1.0": bar}, ())
        )

    def test_takes_what_the_test_needs(self) -> None:
        foo = self.add("foo", "1.0")
        bar = self.add("bar", "1.0")
        self.pin("bar", "1.0", bar)
        self.assertEqual(
            self.resolve("foo==1.0", "foo", "bar"),
            ({"foo==1.0": foo, "bar==1.0": bar}, ()),
        )

    def test_gives_up_the_pins_that_a_release_cannot_go_with(self) -> None:
        foo = self.add("foo", "1.0", "bar<2", "baz")
        bar = self.add("bar", "1.0", "qux==1.0")
        qux = self.add("qux", "1.0")
        baz = self.add("baz", "1.0")
        for name in ("bar", "qux", "baz"):
            self.pin(name, "2.0", self.add(name, "2.0"))
        self.pin("baz", "1.0", baz)
        self.assertEqual(
            self.resolve("foo==1.0"),
            (
                {
                    "foo==1.0": foo,
                    "bar==1.0": bar,
                    "qux==1.0": qux,
                    "baz==1.0": baz,
                },
                ("bar 1.0", "qux 1.0"),
            ),
        )

    def test_the_locks_word_is_taken_for_a_pin(self) -> None:
        self.add("foo", "1.0", "bar")
        self.add("bar", "1.0")
        self.pin("bar", "1.0", _OTHER)
        self.assertEqual(self.resolve("foo==1.0")[0]["bar==1.0"], _OTHER)

    def assert_fails(self, pattern: str, *needed: str) -> None:
        with self.assertRaisesRegex(errors.ResolutionError, pattern) as raised:
            self.resolve("foo==1.0", *needed)
        self.assertNotIn("\n", str(raised.exception))

    def test_says_what_cannot_go_together(self) -> None:
        self.add("foo", "1.0", "bar<2")
        self.add("baz", "1.0", "bar>=2")
        self.pin("bar", "2.0", self.add("bar", "2.0"))
        self.add("bar", "1.0")
        self.assert_fails(
            r"^no wheels for Python 3\.\d+ go together: .*foo 1.0 depends on "
            "bar<2",
            "bar",
            "baz",
        )

    def test_says_what_is_not_there(self) -> None:
        self.add("foo", "1.0", "bar<2")
        self.assert_fails(
            r"No matching distribution found for bar<2 \(from foo\)$"
        )


if __name__ == "__main__":
    absltest.main()
