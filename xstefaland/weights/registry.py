"""The table of known weights: what there is, for which target, with which hash.

The table itself is data, ``registry.json`` beside this file; :func:`record` changes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

from xstefaland.errors import (
    UnknownTargetError,
    WeightsError,
    WeightsNotFoundError,
    join_problems,
)
from xstefaland.weights.card import KINDS, TWO_WAY, is_sha256
from xstefaland.weights.files import Weights
from xstefaland.weights.summary import brief_skill
from xstefaland.weights.targets import TARGETS

REGISTRY_FILE = Path(__file__).with_name("registry.json")
"""The table."""

BUNDLED = Path(__file__).with_name("bundled")
"""Folder of the weights that ship inside the package."""


LISTS = ("targets", "default_for", "inputs", "readings")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the table.

    Parameters
    ----------
    name : str
        Unique name, ending in its version.
    kind : {"encoder", "head"}
        What the file holds.
    form : str
        Short word for ``head=``: the form of head, the same for many targets.
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
        Targets for which this head is taken unless ``head=`` says otherwise, for the
        ways of reading that it knows.
    encoder : str or None
        Name of a head's encoder.
    inputs : tuple of str
        Daily inputs.
    readings : tuple of str
        Ways of reading that it was trained for.
    members : int
        Heads whose answers it averages; 1 for a head of one network and for an encoder.
    skill : str
        Medians at sites that were not trained on, in a few words.
    doi : str or None
        Where the file is archived.
    bundled : bool
        Ships inside the package: needs neither network nor cache.
    bundled_in : str
        Last release of the package that had it inside, for weights that no longer
        ship.
    licence : str
        SPDX identifier.
    description : str
        One line for people.
    """

    name: str
    kind: str
    form: str
    version: str
    file: str
    sha256: str | None = None
    size: int | None = None
    targets: tuple[str, ...] = ()
    default_for: tuple[str, ...] = ()
    encoder: str | None = None
    inputs: tuple[str, ...] = ()
    readings: tuple[str, ...] = (TWO_WAY,)
    members: int = 1
    skill: str = ""
    doi: str | None = None
    bundled: bool = False
    bundled_in: str = ""
    licence: str = "Apache-2.0"
    description: str = ""

    @property
    def retired(self) -> bool:
        """Whether it shipped once and no longer does: known by its name alone."""
        return bool(self.bundled_in) and not self.bundled


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
    def heads(self) -> tuple[Entry, ...]:
        """The entries that are heads, without retired ones."""
        return tuple(e for e in self.entries if e.kind == "head" and not e.retired)

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form of head, sorted."""
        return tuple(sorted({entry.form for entry in self.heads}))

    @property
    def targets(self) -> tuple[str, ...]:
        """Every target that some head predicts, sorted."""
        return tuple(sorted({t for entry in self.heads for t in entry.targets}))

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
            f"names: {', '.join(self.names)} (`xstefaland.weights.list()`); forms of "
            f"heads for `head=`: {', '.join(self.forms)}."
        )

    def head_for(
        self, target: str, head: str | None = None, *, reading: str = TWO_WAY
    ) -> Entry:
        """Return the head for a target: its default, or the form that `head` names.

        Parameters
        ----------
        target : str
            What is to be predicted.
        head : str, optional
            A name or a form such as ``"resconn"``.
        reading : str
            Way of reading. Where no head knows it, one that does not is returned: who
            opens it says so.

        Raises
        ------
        UnknownTargetError
            When no head predicts it, or none of that form.
        """
        if head is None:
            found = [entry for entry in self.heads if target in entry.default_for]
            if not found:
                raise UnknownTargetError(
                    f"There is no head for target '{target}'. Targets: "
                    f"{', '.join(self.targets)}.{_finetuned(target)}"
                )
            return _preferred(found, reading)
        named = [entry for entry in self.entries if entry.name == head]
        named = named or [entry for entry in self.heads if entry.form == head]
        found = [entry for entry in named if target in entry.targets]
        if not found:
            offered = sorted({t for entry in named for t in entry.targets})
            raise UnknownTargetError(
                f"Head '{head}' does not predict '{target}'. It predicts: "
                f"{', '.join(offered)}. All targets: {', '.join(self.targets)}."
            )
        return _preferred(found, reading)

    def heads_together(
        self, targets: Sequence[str], *, reading: str = TWO_WAY
    ) -> dict[str, Entry]:
        """Return the heads for a list of targets: one for all that belong together.

        Fluxes and storages of one balance must come from one head, else they do not
        balance. So a list that one head covers is answered by that head; else a head
        of several targets that is the default of one of them answers all it can.

        Parameters
        ----------
        targets : sequence of str
            What is to be predicted.
        reading : str
            Way of reading, as for :meth:`head_for`.

        Raises
        ------
        UnknownTargetError
            When no head predicts one of them.

        Examples
        --------
        >>> found = table().heads_together(["streamflow", "recharge", "soil_moisture"])
        >>> [entry.form for entry in found.values()]
        ['resconn-hbv', 'resconn-hbv', 'resconn']
        """
        chosen = {target: self.head_for(target, reading=reading) for target in targets}
        wanted = set(chosen)
        covering = [
            entry
            for entry in self.heads
            if wanted <= set(entry.targets) and reading in entry.readings
        ]
        if covering:
            most = max(covering, key=lambda entry: len(wanted & set(entry.default_for)))
            return dict.fromkeys(chosen, most)
        for entry in dict.fromkeys(chosen.values()):
            if len(entry.targets) > 1:
                chosen |= {
                    target: entry for target in chosen if target in entry.targets
                }
        return chosen


def _finetuned(target: str) -> str:
    """Say that a target without a head of ours can have one of the user's."""
    if target not in TARGETS:
        return ""
    call = f"head = xstefaland.training.finetune(ds, '{target}', observed='NAME')"
    return (
        f" No head for it ships, but its units and limits are known: with "
        f"observations, {call} makes one for `head=`."
    )


def _preferred(found: Sequence[Entry], reading: str) -> Entry:
    """Return the first that knows a way of reading, or else the first."""
    return next((entry for entry in found if reading in entry.readings), found[0])


def table() -> Registry:
    """Read the table; read again only when the file changes.

    Returns
    -------
    Registry
        The table as it is on disk.

    Examples
    --------
    >>> table().head_for("streamflow").form
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
        lists = {key: tuple(line[key]) for key in LISTS if key in line}
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
    retired = [e.name for e in registry.entries if e.retired and e.default_for]
    if retired or registry.default_encoder in _retired(registry):
        problems.append(f"retired weights are a default: {retired or 'the encoder'}")
    if registry.default_encoder not in encoders:
        problems.append(f"default encoder '{registry.default_encoder}' is not listed")
    defaults = [
        (target, reading)
        for entry in registry.entries
        for target in entry.default_for
        for reading in entry.readings
    ]
    for target in registry.targets:
        count = defaults.count((target, TWO_WAY))
        if count != 1:
            problems.append(f"target '{target}' has {count} default heads, not 1")
    problems += [
        f"target '{target}' has several default heads that read so: {reading}"
        for target, reading in sorted(set(defaults))
        if reading != TWO_WAY and defaults.count((target, reading)) > 1
    ]
    for entry in registry.entries:
        problems += _entry_problems(entry, encoders)
    if problems:
        raise WeightsError(join_problems("the table of weights is wrong", problems))


def _retired(registry: Registry) -> set[str]:
    """Return the names of weights that no longer ship."""
    return {entry.name for entry in registry.entries if entry.retired}


def _entry_problems(entry: Entry, encoders: set[str]) -> list[str]:
    """Collect what in one line cannot be true."""
    problems = []
    if entry.kind not in KINDS:
        problems.append(f"'{entry.name}' has kind '{entry.kind}'")
    if entry.sha256 is not None and not is_sha256(entry.sha256):
        problems.append(f"'{entry.name}' has no full sha256: '{entry.sha256}'")
    if not set(entry.default_for) <= set(entry.targets):
        problems.append(
            f"'{entry.name}' is the default for targets it does not predict"
        )
    if entry.encoder is not None and entry.encoder not in encoders:
        problems.append(f"'{entry.name}' has encoder '{entry.encoder}', not listed")
    if entry.kind == "head" and not entry.targets:
        problems.append(f"head '{entry.name}' has no targets")
    return problems


def record(
    weights: Weights,
    *,
    form: str,
    version: str,
    description: str,
    default_for: Sequence[str] = (),
    bundled: bool = True,
) -> Entry:
    """Enter a weights file into the table, replacing the line of the same name.

    Name, kind, inputs, targets, ways of reading, members, encoder, skill, DOI, licence,
    hash and size come from the file. A target has one default head for each way of
    reading: another head of the same way that was the default of one of `default_for`
    loses it.

    Parameters
    ----------
    weights : Weights
        The opened file. For ``bundled=True`` it must lie in ``weights/bundled``.
    form, version, description, default_for, bundled
        See :class:`Entry`.

    Returns
    -------
    Entry
        The new line.

    Raises
    ------
    WeightsError
        When the table would contradict itself.

    Notes
    -----
    For maintainers: it edits the source tree (``training.publish`` calls it).
    """
    card = weights.card
    entry = Entry(
        name=card.name,
        kind=card.kind,
        form=form,
        version=version,
        file=weights.path.name,
        sha256=weights.sha256,
        size=weights.path.stat().st_size,
        targets=tuple(target.name for target in card.targets),
        default_for=tuple(default_for),
        encoder=card.encoder.name if card.encoder else None,
        inputs=tuple(spec.name for spec in card.forcing),
        readings=card.readings,
        members=len(card.networks),
        skill=brief_skill(card),
        doi=card.doi,
        bundled=bundled,
        licence=card.licence,
        description=description,
    )
    if bundled and weights.path.parent != BUNDLED.resolve():
        raise WeightsError(
            f"'{weights.path}' is to be bundled; save it in '{BUNDLED}'."
        )
    old = table()
    entries = [_without_defaults(other, entry) for other in old.entries]
    if entry.name in old.names:
        entries[old.names.index(entry.name)] = entry
    else:
        entries.append(entry)
    _write(Registry(tuple(entries), old.default_encoder))
    return entry


def make_default(name: str) -> Entry:
    """Take an encoder wherever none is named.

    Parameters
    ----------
    name : str
        An encoder of the table that is not retired.

    Returns
    -------
    Entry
        Its line.

    Raises
    ------
    WeightsNotFoundError
        When there are no such weights.
    WeightsError
        When they are a head, or retired.

    Notes
    -----
    For maintainers: it edits the source tree.
    """
    old = table()
    found = old.get(name)
    _write(replace(old, default_encoder=name))
    return found


def retire(name: str, release: str) -> Entry:
    """Take weights out of the package; their name stays known.

    Parameters
    ----------
    name : str
        Bundled weights that are no default (any more).
    release : str
        The last release of the package that has them inside, such as ``"0.1.0"``.

    Returns
    -------
    Entry
        The changed line. The file is removed.

    Raises
    ------
    WeightsError
        When they are a default still.

    Notes
    -----
    For maintainers: it edits the source tree.
    """
    old = table()
    found = old.get(name)
    changed = replace(found, bundled=False, bundled_in=release)
    entries = tuple(changed if entry is found else entry for entry in old.entries)
    _write(Registry(entries, old.default_encoder))
    (BUNDLED / found.file).unlink(missing_ok=True)
    return changed


def _without_defaults(entry: Entry, new: Entry) -> Entry:
    """Take targets from a head that was their default, for a new one that reads so."""
    if not set(entry.readings) & set(new.readings):
        return entry
    kept = tuple(t for t in entry.default_for if t not in new.default_for)
    return replace(entry, default_for=kept)


def _write(changed: Registry) -> None:
    """Check the table and replace the file in one step."""
    refuse_contradictions(changed)
    text = json.dumps(asdict(changed), indent=2) + "\n"
    temporary = REGISTRY_FILE.with_suffix(".part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, REGISTRY_FILE)
