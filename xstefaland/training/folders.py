"""Folders of runs: each holds one, and a run that was stopped goes on in its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xstefaland.errors import InputError


def claim(folder: Path, what: Mapping[str, Any], argument: str) -> None:
    """Write down what a folder holds, or refuse one that holds another run.

    Parameters
    ----------
    folder : Path
        Made where it is not there; ``run.json`` is written into it.
    what : mapping
        What makes the run this one, as JSON can hold it.
    argument : str
        Name of the argument that a user gave the folder by.

    Raises
    ------
    InputError
        With the entries that differ.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> claim(folder, {"seed": 1}, "folder")
    >>> claim(folder, {"seed": 1}, "folder")
    >>> json.loads((folder / "run.json").read_text())
    {'seed': 1}
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.json"
    plain = json.loads(json.dumps(what))
    had = json.loads(path.read_text()) if path.exists() else plain
    other = [key for key in plain if had.get(key) != plain[key]]
    if other:
        raise InputError(
            f"{argument}={str(folder)!r} holds another run: {', '.join(other)} differ. "
            "Give another folder, or delete it to start anew"
        )
    path.write_text(json.dumps(plain, indent=1))
