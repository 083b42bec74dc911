"""Where the files of a checkpoint are: Megatron-LM's layout, and a manifest.

    latest_checkpointed_iteration.txt              the tracker
    iter_0000020/mp_rank_00_003/model_optim_rng.pt
    iter_0000020/manifest.json

One file a rank (tensor rank 0, pipeline rank 3). Tools that know Megatron-LM's
layout take no notice of the manifest.
"""

import pathlib
import re

TRACKER = "latest_checkpointed_iteration.txt"
MANIFEST = "manifest.json"

# Appended to the name of a file that is not whole yet, and of a folder that is
# about to be deleted.
ASIDE = ".part"
RETIRED = ".retired"

_FOLDER = re.compile(r"iter_(\d{7,})", re.ASCII)


def folder(root: pathlib.Path, iteration: int) -> pathlib.Path:
    """The folder of one checkpoint."""
    return root / f"iter_{iteration:07d}"


def rank_file(rank: int) -> str:
    """The path of a rank's file in its checkpoint's folder."""
    return f"mp_rank_00_{rank:03d}/model_optim_rng.pt"


def iterations(root: pathlib.Path) -> list[int]:
    """The iterations that have a folder, whole or not, ascending."""
    if not root.is_dir():
        return []
    found = [_FOLDER.fullmatch(path.name) for path in root.iterdir()]
    return sorted(int(match[1]) for match in found if match)


def committed(root: pathlib.Path) -> list[int]:
    """The iterations that have a manifest, ascending.

    It is written when all files of the checkpoint are on the disk: a folder
    without one is what is left of a save that was cut short, or is another
    tool's.
    """
    return [
        iteration
        for iteration in iterations(root)
        if (folder(root, iteration) / MANIFEST).exists()
    ]
