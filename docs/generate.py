"""Pages made when the manual is built: variables, commands, and one page per weights.

``conf.py`` calls :func:`write`; nothing of it is kept in the repository.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from unittest.mock import patch

from cards import places_picture, weights_page
from mdtables import code, table

import xstefaland
from xstefaland.cli import COMMANDS, main
from xstefaland.inputs.quantities import GROUPS, Variable
from xstefaland.inputs.variables import ATTRIBUTES, FORCINGS

VARIABLES_TEXT = """# Recognised variables

Every name by which `ds.stefaland` knows a variable without being told: the name itself,
its aliases (in upper or lower case) and CF standard names. What a Dataset calls
otherwise is named with `rename={"its name": "name below"}`. The page is made from the
catalogue in `xstefaland/inputs/variables.py`: one line there adds an alias.

Units are those the package works in; others are converted. Values beyond the range are
taken as missing. An alias in a product's own units has them behind it in brackets: they
are assumed for attributes that state none, and shown in the message for forcings.
"""
COMMANDS_TEXT = """# Command line

What `xstefaland --help`, and `--help` of each command, say.
"""
HEAD = ("name", "what", "units", "range", "other names, then those of CF")


def write(folder: Path) -> list[Path]:
    """Write all pages.

    Parameters
    ----------
    folder : Path
        Where to; what is there already is replaced.

    Returns
    -------
    list of Path
        The pages.
    """
    pages = [
        _written(folder / "variables.md", variables_page().encode()),
        _written(folder / "commands.md", commands_page().encode()),
    ]
    known = xstefaland.weights.list()
    for entry in known[known["cached"]].to_dict("records"):
        weights = xstefaland.weights.load(entry["name"])
        place = folder / "weights" / f"{entry['name']}.md"
        pages.append(_written(place, weights_page(weights, entry).encode()))
        picture = places_picture(weights)
        if picture is not None:
            _written(place.with_name(f"{place.stem}-places.png"), picture)
    return pages


def _written(path: Path, content: bytes) -> Path:
    """Write a file unless it is so already: Sphinx goes by the time of change."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
    return path


def variables_page() -> str:
    """Write the table of forcings and those of attributes, group by group."""
    parts = [VARIABLES_TEXT, "## Forcings", _variables(FORCINGS)]
    for group in GROUPS:
        members = [each for each in ATTRIBUTES if each.group == group]
        parts += [f"## Attributes: {group}", _variables(members)]
    return "\n\n".join(parts) + "\n"


def commands_page() -> str:
    """Write the help of the command line, command by command."""
    parts = [COMMANDS_TEXT, _help([])]
    for command in COMMANDS:
        parts += [f"## {command.name}", _help([command.name])]
    return "\n\n".join(parts) + "\n"


def _help(words: list[str]) -> str:
    """What a command prints when asked for help, in lines of 80."""
    printed, wide = io.StringIO(), patch.dict(os.environ, COLUMNS="82")
    with wide, redirect_stdout(printed), suppress(SystemExit):
        main([*words, "--help"])
    return f"```text\n{printed.getvalue().strip()}\n```"


def _variables(variables: Iterable[Variable]) -> str:
    rows = []
    for each in variables:
        own = dict(each.alias_units)
        aliases = [
            f"`{a}`" + (f" ({own[a.lower()]})" if a.lower() in own else "")
            for a in each.aliases
        ]
        low, high = each.valid_range
        lists = (", ".join(aliases), ", ".join(code(each.standard_names)))
        names, span = "; ".join(filter(None, lists)), f"{low:g} to {high:g}"
        name, units = code([each.name, each.units])
        rows.append((name, each.long_name, units, span, names))
    return table(HEAD, rows)
