"""The CUDA libraries of a rank: where they are to come from, and where they do.

They are to be those of NVIDIA's wheels. torch and Transformer Engine's core
library name them, and leave it to the linker to find them, which knows the
host's toolkit. Transformer Engine also opens some by itself, and prefers a
toolkit of the host, whatever its version, unless a variable names the folder.
"""

import ctypes
import importlib.metadata
import pathlib
import re
import sys
from collections.abc import Iterable, Mapping, Sequence

# Those that Transformer Engine opens.
_OPENED = ("cudnn", "curand", "nvrtc")

# A library comes after those that it names.
_IN_ORDER = (
    *("cudart", "nvJitLink", "nvrtc-builtins", "nvrtc", "cublasLt", "cublas"),
    *("cufft", "curand", "cusparse", "cusparseLt", "cusolver", "cupti"),
    *("nccl", "nvshmem_host", "cufile", "cudnn_graph", "cudnn_ops", "cudnn"),
    *("cudnn_adv", "cudnn_cnn", "cudnn_heuristic"),
    *("cudnn_engines_precompiled", "cudnn_engines_runtime_compiled"),
)

# Not libcuda, which is the driver's, and so the host's.
_LIBRARY = re.compile(
    r"lib(cublas|cudart|cudnn|cufft|cupti|curand|cusolver|cusparse|nccl"
    r"|nvJitLink|nvrtc|nvshmem|transformer_engine)\w*[.-].*so.*"
)


def homes(path: Sequence[str] | None = None) -> dict[str, str]:
    """Returns the variables that name the folders of the wheels' libraries.

    Args:
        path: Folders with packages; by default `sys.path`.

    Returns:
        A folder by variable, as CUDNN_HOME; none for what no wheel has, as in
        an image whose libraries are the system's.
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
    """Opens the wheels' libraries, before torch looks for any.

    Whatever needs one of them by name takes the one that is open. Else, as each
    wheel has a folder of its own, the linker would take it from the host if
    that has a toolkit, and torch would not notice.

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
    # Those that torch or Transformer Engine need, and what they need first.
    for name in _IN_ORDER:
        if name in files:
            ctypes.CDLL(str(files[name]))


def loaded(
    maps: str | None = None, path: Sequence[str] | None = None
) -> dict[str, str]:
    """Returns the CUDA libraries that this process has loaded.

    Args:
        maps: As /proc/self/maps, which is the default.
        path: Folders with packages; by default `sys.path`.

    Returns:
        By file name, the path in a folder with packages and what it is of, as
        "nvidia/cudnn/lib/libcudnn.so.9 of nvidia-cudnn-cu13 9.19.0.56"; or the
        whole path of a library that is of no package.
    """
    if maps is None:
        maps = pathlib.Path("/proc/self/maps").read_text()
    # The innermost first: the working directory may be around another one.
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
    """Returns the description of each library that a package has.

    Its file may lie elsewhere: an image's packages are linked, file by file.
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
