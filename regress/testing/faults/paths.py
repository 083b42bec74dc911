"""The catalogue's case and its golden, from the workspace's root."""

import pathlib

CASE = pathlib.Path("regress/testing/faults/testdata/catalogue.textproto")
GOLDEN = pathlib.Path(
    "regress/testing/faults/testdata/catalogue/dev_none.textproto"
)
