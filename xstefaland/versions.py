"""What a bug report needs: versions of everything that matters."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import TextIO

_DOCS = re.compile(r"extra == .docs.")


def versions() -> dict[str, str]:
    """Return the versions of Python, the package and what it depends on.

    Nothing is imported for it, so it is quick and works when an import fails.

    Returns
    -------
    dict
        Name to version, ``"not installed"`` for what is missing. Required
        packages come before optional ones.

    Examples
    --------
    >>> list(versions())[:3]
    ['xstefaland', 'python', 'platform']
    """
    found = {
        "xstefaland": _version("xstefaland"),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    return found | {name: _version(name) for name in _requirements()}


def show_versions(file: TextIO | None = None) -> None:
    """Write the versions of everything that matters, one per line.

    Below them stand the GPUs that PyTorch finds and the weights that need no network.

    Parameters
    ----------
    file : file object, optional
        Where to write; standard output by default.

    Examples
    --------
    >>> import xstefaland
    >>> xstefaland.show_versions()
    xstefaland     ...
    python         ...
    """
    found = versions() | devices() | {"weights here": cached_weights()}
    width = max(map(len, found)) + 2
    out = file or sys.stdout
    out.writelines(f"{name:<{width}}{text}\n" for name, text in found.items())


def devices() -> dict[str, str]:
    """Return the GPUs that PyTorch finds, and the CUDA that it was built with.

    Returns
    -------
    dict
        ``"cuda"`` and one entry for each GPU, with its memory; what is wrong, where
        PyTorch cannot be imported.

    Examples
    --------
    >>> "cuda" in devices()
    True
    """
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library it loads is broken
        return {"cuda": f"PyTorch cannot be imported: {error}"}
    found = {"cuda": str(torch.version.cuda or "not in this build of PyTorch")}
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        memory = about.total_memory / 2**30
        found[f"cuda:{number}"] = f"{about.name}, {memory:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "available"
    return found


def cached_weights() -> str:
    """Name the weights that are here already.

    Examples
    --------
    >>> "stefaland-base-v1" in cached_weights()
    True
    """
    from xstefaland.weights import list as list_weights

    table = list_weights()
    return ", ".join(table["name"][table["cached"]]) or "none"


def _requirements() -> Iterator[str]:
    """Names of required and optional packages, each once, required ones first."""
    lines = metadata.requires("xstefaland") or []
    for line in sorted(lines, key=lambda line: "extra ==" in line):
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name and name[0] != "xstefaland" and not _DOCS.search(line):
            yield name[0]


def _version(name: str) -> str:
    """Version of a package, or words that say it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
