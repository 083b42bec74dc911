"""The workers of the local pool."""

from tools.remote import pool

# Two workers are enough to see where a test goes. --config=pool makes a test
# that needs no GPU ask for `none`, or it could keep a GPU's worker busy.
CPU = pool.Worker("worker-cpu", {"gpu": "none"})
H200 = pool.Worker("worker-h200", {"gpu": "h200"})

ALL = (CPU, H200)
