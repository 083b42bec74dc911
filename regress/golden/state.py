"""State digests, folded so that a golden can hold them.

A run record names every state entry; a golden holds one digest for each
rank and checkpoint, which is enough to say that a rank's state is not the
recorded one. Which entry differs, a second run tells.
"""

import hashlib

from regress.run import run_pb2


def fold(state: run_pb2.StateDigest) -> str:
    """One digest of all entries of a rank's state: a SHA-256, in hex.

    It covers each entry's name and digest, not its description, and does not
    depend on the order of the entries.
    """
    folded = hashlib.sha256()
    for name, digest in sorted((p.name, p.digest) for p in state.entries):
        for part in (name.encode(), digest.encode()):
            # With its length first, a part cannot be taken for another's end.
            folded.update(len(part).to_bytes(8, "little") + part)
    return folded.hexdigest()
