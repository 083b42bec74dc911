"""Tests for impact.py."""

from absl.testing import absltest

from tools.ci import graph, impact

_BASE = {
    "//:a.py": graph.Node("1", ()),
    "//:a": graph.Node("2", ("//:a.py",)),
    "//:b": graph.Node("3", ("//:a", "@w//:lib")),
    "@w//:lib": graph.Node("", ("//external:w",)),
    "//external:w": graph.Node("4", ()),
}


class ChangedTest(absltest.TestCase):
    def test_finds_nothing_in_the_same_graph(self):
        self.assertEqual(impact.changed(_BASE, _BASE), [])

    def test_finds_what_differs_and_what_is_new(self):
        head = {
            **_BASE,
            "//:a.py": graph.Node("5", ()),
            "//:c": graph.Node("6", ()),
        }
        self.assertEqual(impact.changed(_BASE, head), ["//:a.py", "//:c"])

    def test_leaves_other_repositories_to_their_rules(self):
        base = {k: v for k, v in _BASE.items() if not k.startswith("@")}
        self.assertEqual(impact.changed(base, _BASE), [])


class PathsTest(absltest.TestCase):
    def test_names_the_way_to_each(self):
        self.assertEqual(
            impact.paths(_BASE, ["//:a.py"]),
            {
                "//:a.py": ["//:a.py"],
                "//:a": ["//:a.py", "//:a"],
                "//:b": ["//:a.py", "//:a", "//:b"],
            },
        )

    def test_goes_through_a_repository(self):
        found = impact.paths(_BASE, ["//external:w"])
        self.assertEqual(found["//:b"], ["//external:w", "@w//:lib", "//:b"])
        self.assertNotIn("//:a", found)

    def test_takes_a_shortest_way(self):
        head = {**_BASE, "//:b": graph.Node("3", ("//:a", "//:a.py"))}
        self.assertEqual(
            impact.paths(head, ["//:a.py"])["//:b"], ["//:a.py", "//:b"]
        )

    def test_ends_in_a_circle(self):
        head = {
            "//:a": graph.Node("1", ("//:b",)),
            "//:b": graph.Node("2", ("//:a",)),
        }
        self.assertCountEqual(impact.paths(head, ["//:a"]), ["//:a", "//:b"])


if __name__ == "__main__":
    absltest.main()
