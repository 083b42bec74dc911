"""Tests of lock_file.py."""

from typing import Any

from absl.testing import absltest, parameterized

from tools.python import lock_file

_A = "a" * 64
_B = "b" * 64


class ParseTest(parameterized.TestCase):
    def test_reads_pins(self):
        distributions = lock_file.parse(
            "# A comment.\n"
            "\n"
            "Foo.Bar==1.0 \\\n"
            f"    --hash=sha256:{_A} \\\n"
            f"    --hash=sha256:{_B}\n"
            f"torch==2.13.0+cpu --hash=sha256:{_A}  # And another.\n",
            "lock.txt",
        )
        self.assertEqual(
            distributions,
            [
                lock_file.Distribution("Foo.Bar", "1.0", (_A, _B)),
                lock_file.Distribution("torch", "2.13.0+cpu", (_A,)),
            ],
        )
        self.assertEqual(distributions[0].key, "foo_bar")
        self.assertEqual(distributions[1].requirement, "torch==2.13.0+cpu")

    @parameterized.named_parameters(
        (
            "no_hash",
            f"foo==1 --hash=sha256:{_A}\n\nbar==2\n",
            "lock.txt, line 3: bar==2 has no hash, and nothing is installed "
            "without one: run `python3.11 tools/python/lock.py`.",
        ),
        (
            "short_hash",
            "foo==1 --hash=sha256:abc",
            "lock.txt, line 1: expected `--hash=sha256:` and 64 hex digits "
            "for foo, found `--hash=sha256:abc`: run "
            "`python3.11 tools/python/lock.py`.",
        ),
        (
            "no_version",
            f"foo>=1 --hash=sha256:{_A}",
            "lock.txt, line 1: expected `name==version --hash=sha256:...`, "
            f"found `foo>=1 --hash=sha256:{_A}`: run "
            "`python3.11 tools/python/lock.py`.",
        ),
        (
            "twice",
            f"foo-x==1 --hash=sha256:{_A}\nfoo_X==2 --hash=sha256:{_B}",
            "lock.txt: expected one pin of foo_x, found 2: run "
            "`python3.11 tools/python/lock.py`.",
        ),
    )
    def test_refuses(self, text, message):
        with self.assertRaises(lock_file.LockFileError) as raised:
            lock_file.parse(text, "lock.txt")
        self.assertEqual(str(raised.exception), message)


class ToBzlTest(absltest.TestCase):
    def declared(
        self,
        distributions: list[lock_file.Distribution],
        channels: dict[str, list[lock_file.Distribution]],
    ) -> tuple[list[dict[str, object]], dict[str, Any]]:
        """What the file declares, and its names."""
        # Starlark's literals, and nothing else in the file, are Python's too.
        bzl = lock_file.to_bzl(distributions, "lock.txt", channels)
        declared: list[dict[str, object]] = []
        names: dict[str, Any] = {
            "load": lambda *_: None,
            "channel_repository": lambda **kwargs: declared.append(kwargs),
            "wheel_repository": lambda **kwargs: declared.append(kwargs),
        }
        exec(bzl, names)
        names["pypi_repositories"]()
        return declared, names

    def test_declares_each_distribution(self):
        declared, names = self.declared(
            [lock_file.Distribution("foo-bar", "1.0", (_A,))], {}
        )
        self.assertEqual(
            declared,
            [
                {
                    "name": "pypi_foo_bar",
                    "hashes": [_A],
                    "requirement": "foo-bar==1.0",
                }
            ],
        )
        self.assertEqual(
            names["locked_libraries"](["elsewhere", "foo_bar"]),
            ["@pypi_foo_bar//:lib"],
        )

    def test_declares_what_a_channel_has_in_its_place(self):
        declared, _ = self.declared(
            [
                lock_file.Distribution("foo-bar", "2.0", (_A,)),
                lock_file.Distribution("other", "1.0", (_A,)),
            ],
            {"lts": [lock_file.Distribution("foo-bar", "1.0", (_B,))]},
        )
        self.assertEqual(
            declared,
            [
                {
                    "name": "pypi_dev_foo_bar",
                    "hashes": [_A],
                    "requirement": "foo-bar==2.0",
                },
                {
                    "name": "pypi_lts_foo_bar",
                    "hashes": [_B],
                    "requirement": "foo-bar==1.0",
                },
                {
                    "name": "pypi_foo_bar",
                    "channels": ["lts"],
                    "key": "foo_bar",
                },
                {
                    "name": "pypi_other",
                    "hashes": [_A],
                    "requirement": "other==1.0",
                },
            ],
        )

    def test_refuses_a_distribution_that_only_a_channel_has(self):
        with self.assertRaisesRegex(
            lock_file.LockFileError,
            "^the lock of channel lts pins foo==1.0, and lock.txt pins no foo",
        ):
            lock_file.to_bzl(
                [],
                "lock.txt",
                {"lts": [lock_file.Distribution("foo", "1.0", (_A,))]},
            )


if __name__ == "__main__":
    absltest.main()
