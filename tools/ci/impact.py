"""What a change to some nodes can affect, and by which path."""

import collections
from collections.abc import Iterable, Mapping

from tools.ci import graph


def changed(
    base: Mapping[str, graph.Node], head: Mapping[str, graph.Node]
) -> list[str]:
    """Returns the labels of nodes that are new or have changed.

    A node that is gone changes those that depended on it, because their inputs
    are part of their digests.
    """
    return sorted(
        label
        for label, node in head.items()
        if node.digest
        and (label not in base or base[label].digest != node.digest)
    )


def paths(
    head: Mapping[str, graph.Node], origins: Iterable[str]
) -> dict[str, list[str]]:
    """Returns everything that depends on some nodes, with a shortest path.

    Args:
        head: The graph.
        origins: The labels of nodes, or of inputs that are not nodes.

    Returns:
        For each label, the labels from an origin to it, both included.
    """
    dependents = collections.defaultdict(list)
    for label in sorted(head):
        for dependency in head[label].inputs:
            dependents[dependency].append(label)
    found = {origin: [origin] for origin in origins}
    queue = collections.deque(found)
    while queue:
        label = queue.popleft()
        for dependent in dependents[label]:
            if dependent not in found:
                found[dependent] = [*found[label], dependent]
                queue.append(dependent)
    return found
