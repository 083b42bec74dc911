"""The workers of the pool."""

from tools.remote import pool

# As many as it takes to see where a test goes. What asks for no GPU asks for
# `none`, by --config=pool: else it could keep a GPU's worker busy.
CPU = pool.Worker("worker-cpu", {"gpu": "none"})
H200 = pool.Worker("worker-h200", {"gpu": "h200"})

ALL = (CPU, H200)
