"""The graph of targets, each with a digest of its own content."""

import dataclasses
import hashlib
import pathlib
import re

from tools.ci import query_pb2

# No action depends on these: a rule's position and its visibility.
_IGNORED = frozenset(
    [
        "generator_function",
        "generator_location",
        "generator_name",
        "visibility",
    ]
)
_EXTERNAL = re.compile(r"@+([^/]*)//")


@dataclasses.dataclass(frozen=True)
class Node:
    """A rule or a file.

    Attributes:
        digest: A digest of the rule's attributes and implementation, or of the
            file's content, but not of its inputs. Empty for a node of another
            repository, which changes as a whole.
        inputs: The labels that it depends on.
    """

    digest: str
    inputs: tuple[str, ...]


def nodes_of_query(result: bytes, root: pathlib.Path) -> dict[str, Node]:
    """Returns the nodes in a query's result, by label.

    Args:
        result: The output of `bazel query --output=proto`.
        root: The workspace that was queried, which has the files.
    """
    nodes = {}
    for target in query_pb2.QueryResult.FromString(result).target:
        if target.HasField("rule"):
            nodes[target.rule.name] = _rule_node(target.rule)
        elif target.HasField("source_file"):
            label = target.source_file.name
            nodes[label] = Node(_file_digest(label, root), _repository(label))
        elif target.HasField("generated_file"):
            generated = target.generated_file
            nodes[generated.name] = Node("", (generated.generating_rule,))
    return nodes


def _rule_node(rule: query_pb2.Rule) -> Node:
    inputs = tuple(sorted(set(rule.rule_input)))
    if repository := _repository(rule.name):
        return Node("", (*inputs, *repository))
    attributes = sorted(
        attribute
        for attribute in rule.attribute
        if query_pb2.Attribute.FromString(attribute).name not in _IGNORED
    )
    digest = hashlib.sha256()
    for part in (*attributes, *(label.encode() for label in inputs)):
        digest.update(len(part).to_bytes(8, "big") + part)
    return Node(digest.hexdigest(), inputs)


def _repository(label: str) -> tuple[str, ...]:
    """Returns the rule for a target's repository, or nothing for our own."""
    external = _EXTERNAL.match(label)
    return (f"//external:{external[1]}",) if external else ()


def _file_digest(label: str, root: pathlib.Path) -> str:
    """Returns a SHA-256 of a file's content and its executable bit."""
    if _EXTERNAL.match(label):
        return ""
    path = root / label.removeprefix("//").replace(":", "/")
    if not path.is_file():
        return "none"
    executable = bool(path.stat().st_mode & 0o111)
    content = path.read_bytes()
    return hashlib.sha256(b"%d" % executable + content).hexdigest()
