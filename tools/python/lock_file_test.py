"""Tests for lock_file.py."""

import json

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
            f"torch==2.11.0+cpu --hash=sha256:{_A}  # And another.\n",
            "lock.txt",
        )
        self.assertEqual(
            distributions,
            [
                lock_file.Distribution("Foo.Bar", "1.0", (_A, _B)),
                lock_file.Distribution("torch", "2.11.0+cpu", (_A,)),
            ],
        )
        self.assertEqual(distributions[0].key, "foo_bar")
        self.assertEqual(distributions[1].requirement, "torch==2.11.0+cpu")

    @parameterized.named_parameters(
        (
            "no_hash",
            f"foo==1 --hash=sha256:{_A}\n\nbar==2\n",
            "lock.txt, line 3: bar==2 has no hash, and nothing is installed "
            f"without one: run `{lock_file.REGENERATE}`.",
        ),
        (
            "short_hash",
            "foo==1 --hash=sha256:abc",
            "lock.txt, line 1: expected `--hash=sha256:` and 64 hex digits "
            "for foo, found `--hash=sha256:abc`: run "
            "`python3 tools/python/lock.py python3.12 python3.13`.",
        ),
        (
            "no_version",
            f"foo>=1 --hash=sha256:{_A}",
            "lock.txt, line 1: expected `name==version --hash=sha256:...`, "
            f"found `foo>=1 --hash=sha256:{_A}`: run "
            "`python3 tools/python/lock.py python3.12 python3.13`.",
        ),
        (
            "twice",
            f"foo-x==1 --hash=sha256:{_A}\nfoo_X==2 --hash=sha256:{_B}",
            "lock.txt: expected one pin of foo_x, found 2: run "
            "`python3 tools/python/lock.py python3.12 python3.13`.",
        ),
    )
    def test_refuses(self, text, message):
        with self.assertRaises(lock_file.LockFileError) as raised:
            lock_file.parse(text, "lock.txt")
        self.assertEqual(str(raised.exception), message)


class ToJsonTest(absltest.TestCase):
    def test_says_what_each_distribution_is(self):
        text = lock_file.to_json(
            [lock_file.Distribution("foo-bar", "1.0", (_A,))]
        )
        self.assertEqual(json.loads(text), {"foo_bar": ["foo-bar==1.0", [_A]]})


if __name__ == "__main__":
    absltest.main()
