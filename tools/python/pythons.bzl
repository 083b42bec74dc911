"""The minor versions of Python that serve, the first one preferred."""

# Plain data: tools/python/lock.py reads it, too.
PYTHONS = [
    "3.13",
    "3.12",
]
