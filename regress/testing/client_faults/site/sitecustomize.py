"""Puts a fault into a training program that knows nothing of it.

Python imports this when it starts, as the folder is on PYTHONPATH; where hooks
are on it, too, they import this as the sitecustomize that they hide.
"""

import os

if _name := os.environ.get("REGRESS_CLIENT_FAULT"):
    from regress.testing.client_faults import catalogue

    catalogue.install(_name)
