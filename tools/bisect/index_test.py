"""Tests for asking the package index, with pip's own session."""

import socket

from absl.testing import absltest

from tools.bisect import errors, index, index_test_helper


class FilesTest(absltest.TestCase):
    def assert_fails(self, pattern: str) -> None:
        with self.assertRaisesRegex(errors.BisectError, pattern) as raised:
            index.files("foo")
        self.assertNotIn("\n", str(raised.exception))

    def test_takes_the_index_that_pip_is_configured_with(self) -> None:
        fake = index_test_helper.FakeIndex()
        sha256 = fake.add("foo", "1.0")
        with fake.serve():
            (file,) = index.files("foo")
        self.assertEqual(file["filename"], "foo-1.0-py3-none-any.whl")
        self.assertEqual(file["hashes"], {"sha256": sha256})
        self.assertEqual(fake.asked, ["/simple/foo/"])

    def test_says_that_the_index_is_out_of_reach(self) -> None:
        with socket.socket() as taken:
            # The port is taken, but nobody listens on it.
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/simple"
            with index_test_helper.only_index(url):
                self.assert_fails(
                    rf"^{url}/foo/: .*out of reach \(.*refused.*\): check the "
                    r"network .*pip config list`\)\.$"
                )

    def test_says_no_password(self) -> None:
        with index_test_helper.only_index(
            "http://me:secret@127.0.0.1:1/simple"
        ):
            with self.assertRaises(errors.BisectError) as raised:
                index.files("foo")
            self.assertNotIn("secret", str(raised.exception))

    def test_says_that_the_index_does_not_know_it(self) -> None:
        fake = index_test_helper.FakeIndex()
        with fake.serve() as url:
            self.assert_fails(rf"^foo: .*package index, {url}, found none: ")

    def test_says_that_the_index_has_no_json(self) -> None:
        fake = index_test_helper.FakeIndex()
        fake.add("foo", "1.0")
        fake.content_type = "text/html"
        with fake.serve():
            self.assert_fails("found status 200 and text/html: point pip at")


if __name__ == "__main__":
    absltest.main()
