"""Loads a rank's CUDA libraries from NVIDIA's wheels, and lists those loaded.

torch and Transformer Engine's core library link against CUDA libraries by name
only, so the dynamic linker may resolve them to the host's CUDA toolkit.
Transformer Engine also opens some libraries itself and prefers the host's
toolkit, whatever its version, unless an environment variable names a folder.
"""

import ctypes
import importlib.metadata
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

# The libraries that Transformer Engine opens itself.
_OPENED = ("cudnn", "curand", "nvrtc")

# The libraries that torch and Transformer Engine need, dependencies first.
_IN_ORDER = (
    *("cudart", "nvJitLink", "nvrtc-builtins", "nvrtc", "cublasLt", "cublas"),
    *("cufft", "curand", "cusparse", "cusparseLt", "cusolver", "cupti"),
    *("nccl", "nvshmem_host", "cufile", "cudnn_graph", "cudnn_ops", "cudnn"),
    *("cudnn_adv", "cudnn_cnn", "cudnn_heuristic"),
    *("cudnn_engines_precompiled", "cudnn_engines_runtime_compiled"),
)

# libcuda is left out: it belongs to the driver, and so to the host.
_LIBRARY = re.compile(
    r"lib(cublas|cudart|cudnn|cufft|cupti|curand|cusolver|cusparse|nccl"
    r"|nvJitLink|nvrtc|nvshmem|transformer_engine)\w*[.-].*so.*"
)


def homes(path: Sequence[str] | None = None) -> dict[str, str]:
    """Returns environment variables that point to the wheels' libraries.

    Args:
        path: Folders with packages; by default `sys.path`.

    Returns:
        Folder by variable name, such as CUDNN_HOME. A library that no wheel
        has is absent, for example in an image that uses system libraries.
    """
    found: dict[str, str] = {}
    for folder in sys.path if path is None else path:
        for library in sorted(pathlib.Path(folder, "nvidia").glob("*/lib/*")):
            name = library.name.removeprefix("lib").partition(".so")[0]
            if name in _OPENED:
                home = str(library.parent.parent)
                found.setdefault(f"{name.upper()}_HOME", home)
    return found


def open_all(path: Sequence[str] | None = None) -> None:
    """Opens the wheels' libraries; call it before torch is imported.

    The dynamic linker reuses a library that is already open under the same
    name. Otherwise, since each wheel has its own folder, it would silently
    pick up the host's CUDA toolkit if there is one.

    Args:
        path: Folders with packages; by default `sys.path`.
    """
    files = {
        library.name.removeprefix("lib").partition(".so")[0]: library
        for folder in (sys.path if path is None else path)
        for library in sorted(
            pathlib.Path(folder, "nvidia").glob("*/lib/lib*.so.*")
        )
    }
    for name in _IN_ORDER:
        if name in files:
            ctypes.CDLL(str(files[name]))


def loaded(
    maps: str | None = None, path: Sequence[str] | None = None
) -> dict[str, str]:
    """Returns the CUDA libraries that this process has loaded.

    Args:
        maps: Text in the format of /proc/self/maps, which is the default.
        path: Folders with packages; by default `sys.path`.

    Returns:
        By file name, the path within a package folder and the package that
        owns it, such as
        "nvidia/cudnn/lib/libcudnn.so.9 of nvidia-cudnn-cu13 9.19.0.56"; or the
        absolute path of a library that no package owns.
    """
    if maps is None:
        maps = pathlib.Path("/proc/self/maps").read_text()
    # Innermost first: the working directory may contain another entry.
    folders = sorted(
        {
            str(pathlib.Path(folder).resolve())
            for folder in (sys.path if path is None else path)
            if folder
        },
        key=len,
        reverse=True,
    )
    files = {
        pathlib.Path(line.split(maxsplit=5)[5])
        for line in maps.splitlines()
        if line.count("/") and _LIBRARY.fullmatch(line.rpartition("/")[2])
    }
    owners = _owners(folders)
    return {
        file.name: _describe(file.resolve(), folders, owners)
        for file in sorted(files)
    }


def _describe(
    file: pathlib.Path,
    folders: Iterable[str],
    owners: Mapping[pathlib.Path, str],
) -> str:
    if file in owners:
        return owners[file]
    for folder in folders:
        if file.is_relative_to(folder):
            return str(file.relative_to(folder))
    return str(file)


def _owners(folders: Sequence[str]) -> dict[pathlib.Path, str]:
    """Returns a description of each packaged library, by its real path.

    The real path may lie outside the folder: packages that come from an image
    are symlinked file by file.
    """
    return {
        pathlib.Path(str(distribution.locate_file(file))).resolve(): (
            f"{file} of {distribution.name} {distribution.version}"
        )
        for distribution in importlib.metadata.distributions(path=[*folders])
        if distribution.name.startswith(("nvidia", "transformer"))
        for file in distribution.files or ()
        if ".so" in file.name
    }
