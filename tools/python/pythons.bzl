"""The supported minor versions of Python, the first one preferred."""

# This is plain data, because tools/python/lock.py reads it, too.
PYTHONS = [
    "3.13",
    "3.12",
]
