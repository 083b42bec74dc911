"""State digests, folded so that a golden can hold them.

A run record names every state entry. A golden holds one digest per rank and
checkpoint, which is enough to detect that a rank's state differs from the
recorded one, but not which entry differs; a second run shows that.
"""

import hashlib

from regress.run import run_pb2


def fold(state: run_pb2.StateDigest) -> str:
    """Returns one digest of all entries of a rank's state.

    The digest is a SHA-256 in hex. It covers each entry's name and digest, but
    not its description, and is independent of the order of the entries.
    """
    folded = hashlib.sha256()
    for name, digest in sorted((p.name, p.digest) for p in state.entries):
        for part in (name.encode(), digest.encode()):
            # The length prefix makes the concatenation unambiguous.
            folded.update(len(part).to_bytes(8, "little") + part)
    return folded.hexdigest()
