"""The table of known weights: what there is, for which target, with which hash.

The table itself is data, ``registry.json`` beside this file;
:func:`xstefaland.weights.record.record` changes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

from xstefaland.errors import (
    UnknownTargetError,
    WeightsError,
    WeightsNotFoundError,
    join_problems,
)
from xstefaland.weights.card import KINDS
from xstefaland.weights.specs import is_sha256

REGISTRY_FILE = Path(__file__).with_name("registry.json")
"""The table."""

BUNDLED = Path(__file__).with_name("bundled")
"""Folder of the weights that ship inside the package."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the table.

    Parameters
    ----------
    name : str
        Unique name, ending in its version.
    kind : {"encoder", "head"}
        What the file holds.
    alias : str
        Short word for ``head=``: the sort of head, the same for many targets.
    version : str
        Release the file belongs to; a folder in the cache and in the URL.
    file : str
        File name.
    sha256 : str or None
        Full hash; ``None`` until the file is published.
    size : int or None
        Bytes.
    targets : tuple of str
        What a head predicts.
    default_for : tuple of str
        Targets for which this head is taken unless ``head=`` says otherwise.
    encoder : str or None
        Name of a head's encoder.
    bundled : bool
        Ships inside the package: needs neither network nor cache.
    licence : str
        SPDX identifier.
    description : str
        One line for people.
    """

    name: str
    kind: str
    alias: str
    version: str
    file: str
    sha256: str | None = None
    size: int | None = None
    targets: tuple[str, ...] = ()
    default_for: tuple[str, ...] = ()
    encoder: str | None = None
    bundled: bool = False
    licence: str = "Apache-2.0"
    description: str = ""


@dataclass(frozen=True)
class Registry:
    """The whole table.

    Parameters
    ----------
    entries : tuple of Entry
        In the order of the file.
    default_encoder : str
        Encoder taken when none is named.
    """

    entries: tuple[Entry, ...]
    default_encoder: str

    @property
    def names(self) -> tuple[str, ...]:
        """All names."""
        return tuple(entry.name for entry in self.entries)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Every sort of head, sorted."""
        return tuple(sorted({e.alias for e in self.entries if e.kind == "head"}))

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target that some head predicts, sorted."""
        return tuple(sorted({t for entry in self.entries for t in entry.targets}))

    def get(self, name: str) -> Entry:
        """Return the entry called `name`.

        Raises
        ------
        WeightsNotFoundError
            When there is none; the names that exist are listed.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        raise WeightsNotFoundError(
            f"There are no weights called '{name}', nor a file of that name. Known "
            f"names: {', '.join(self.names)} (`xstefaland.weights.list()`); sorts of "
            f"heads for `head=`: {', '.join(self.aliases)}."
        )

    def head_for(self, target: str, head: str | None = None) -> Entry:
        """Return the head for a target: its default, or the sort that `head` names.

        Parameters
        ----------
        target : str
            What is to be predicted.
        head : str, optional
            A name or an alias such as ``"resconn"``.

        Raises
        ------
        UnknownTargetError
            When no head predicts it, or none of that sort.
        """
        heads = [entry for entry in self.entries if entry.kind == "head"]
        if head is None:
            found = [entry for entry in heads if target in entry.default_for]
            if not found:
                raise UnknownTargetError(
                    f"There is no head for target '{target}'. Targets: "
                    f"{', '.join(self.targets)}."
                )
            return found[0]
        named = [entry for entry in heads if head in (entry.name, entry.alias)]
        found = [entry for entry in named if target in entry.targets]
        if not found:
            offered = sorted({t for entry in named for t in entry.targets})
            raise UnknownTargetError(
                f"Head '{head}' does not predict '{target}'. It predicts: "
                f"{', '.join(offered)}. All targets: {', '.join(self.targets)}."
            )
        return found[0]


def table() -> Registry:
    """Read the table; read again only when the file changes.

    Returns
    -------
    Registry
        The table as it is on disk.

    Examples
    --------
    >>> table().head_for("streamflow").alias
    'resconn'
    """
    return _parsed(REGISTRY_FILE, REGISTRY_FILE.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _parsed(path: Path, modified: int) -> Registry:
    """Parse the table at `path`; `modified` (ns) only keys the cache."""
    del modified
    values = json.loads(path.read_text(encoding="utf-8"))
    known = {item.name for item in fields(Entry)}
    entries = []
    for line in values["entries"]:
        unknown = sorted(set(line) - known)
        if unknown:
            raise WeightsError(f"'{path}' has unknown columns {unknown}.")
        lists = {key: tuple(line[key]) for key in ("targets", "default_for")}
        entries.append(Entry(**{**line, **lists}))
    registry = Registry(tuple(entries), values["default_encoder"])
    refuse_contradictions(registry)
    return registry


def refuse_contradictions(registry: Registry) -> None:
    """Raise one error with everything in the table that cannot be true."""
    names = registry.names
    problems = [
        f"'{name}' is listed twice" for name in set(names) if names.count(name) > 1
    ]
    encoders = {entry.name for entry in registry.entries if entry.kind == "encoder"}
    if registry.default_encoder not in encoders:
        problems.append(f"default encoder '{registry.default_encoder}' is not listed")
    defaults = [target for entry in registry.entries for target in entry.default_for]
    for target in registry.targets:
        if defaults.count(target) != 1:
            problems.append(
                f"target '{target}' has {defaults.count(target)} default heads, not 1"
            )
    for entry in registry.entries:
        problems += _entry_problems(entry, encoders)
    if problems:
        raise WeightsError(join_problems("the table of weights is wrong", problems))


def _entry_problems(entry: Entry, encoders: set[str]) -> list[str]:
    problems = []
    if entry.kind not in KINDS:
        problems.append(f"'{entry.name}' has kind '{entry.kind}'")
    if entry.sha256 is not None and not is_sha256(entry.sha256):
        problems.append(f"'{entry.name}' has no full sha256: '{entry.sha256}'")
    if not set(entry.default_for) <= set(entry.targets):
        problems.append(
            f"'{entry.name}' is the default for targets it does not predict"
        )
    if entry.kind == "head" and entry.encoder not in encoders:
        problems.append(f"'{entry.name}' has encoder '{entry.encoder}', not listed")
    if entry.kind == "head" and not entry.targets:
        problems.append(f"head '{entry.name}' has no targets")
    return problems
