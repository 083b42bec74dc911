"""Has a Python program observed that knows nothing of it.

Python imports this when it starts, as the folder is on PYTHONPATH. It stands in
front of a sitecustomize that the machine may have, and imports that, too.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _observe() -> None:
    if "REGRESS_CLIENT_FOLDER" not in os.environ:
        return
    root = os.path.dirname(os.path.dirname(os.path.dirname(_FOLDER)))  # noqa: PTH120
    # Last, so that it hides nothing; and only until all is imported.
    sys.path.append(root)
    try:
        from regress.client import observer, torch_hooks

        torch_hooks.install(observer.OBSERVER)
    except Exception as error:
        print(f"regress: nothing is observed: {error!r}", file=sys.stderr)
    finally:
        sys.path.remove(root)


def _import_other() -> None:
    """Imports the sitecustomize that would have been found without this."""
    path = [one for one in sys.path if os.path.abspath(one) != _FOLDER]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_FOLDER = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120

_observe()
_import_other()
