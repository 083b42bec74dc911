"""Tests for graph.py."""

import pathlib

from absl.testing import absltest

from tools.ci import graph, query_pb2


def _rule(name="//p:a", inputs=("//p:a.py",), **attributes: str):
    """Returns a target as Bazel writes it; its attributes are strings."""
    rule = query_pb2.Rule(name=name, rule_input=inputs)
    for key, value in attributes.items():
        named = query_pb2.Attribute(name=key).SerializeToString()
        # Adds the field string_value, which query.proto leaves out.
        rule.attribute.append(
            named + bytes([5 << 3 | 2, len(value)]) + value.encode()
        )
    return query_pb2.Target(rule=rule)


def _file(name):
    return query_pb2.Target(source_file=query_pb2.SourceFile(name=name))


class NodesOfQueryTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        (self.root / "p").mkdir()
        self.file = self.root / "p/a.py"
        self.file.write_text("one")

    def nodes(self, *targets: query_pb2.Target):
        result = query_pb2.QueryResult(target=targets)
        return graph.nodes_of_query(result.SerializeToString(), self.root)

    def digest(self, *targets: query_pb2.Target):
        (node,) = self.nodes(*targets).values()
        return node.digest

    def test_a_rule_has_its_inputs(self):
        nodes = self.nodes(_rule())
        self.assertEqual(nodes["//p:a"].inputs, ("//p:a.py",))

    def test_a_rule_is_its_attributes_and_inputs(self):
        before = self.digest(_rule(size="small"))
        self.assertEqual(self.digest(_rule(size="small")), before)
        self.assertNotEqual(self.digest(_rule(size="large")), before)
        self.assertNotEqual(self.digest(_rule(size="small", inputs=())), before)

    def test_a_rule_is_not_where_it_stands(self):
        self.assertEqual(
            self.digest(_rule(generator_location="p/BUILD:1:1")),
            self.digest(_rule(generator_location="p/BUILD:2:1")),
        )

    def test_a_file_is_its_content_and_mode(self):
        before = self.digest(_file("//p:a.py"))
        self.file.chmod(0o755)
        executable = self.digest(_file("//p:a.py"))
        self.file.write_text("two")
        self.assertLen({before, executable, self.digest(_file("//p:a.py"))}, 3)

    def test_another_repository_is_its_rule(self):
        nodes = self.nodes(
            _rule(name="@w//:lib", inputs=("@w//:f",)), _file("@w//:f")
        )
        self.assertEqual(
            nodes,
            {
                "@w//:lib": graph.Node("", ("@w//:f", "//external:w")),
                "@w//:f": graph.Node("", ("//external:w",)),
            },
        )

    def test_a_generated_file_comes_from_its_rule(self):
        generated = query_pb2.GeneratedFile(
            name="//p:out", generating_rule="//p:a"
        )
        nodes = self.nodes(query_pb2.Target(generated_file=generated))
        self.assertEqual(nodes, {"//p:out": graph.Node("", ("//p:a",))})


if __name__ == "__main__":
    absltest.main()
