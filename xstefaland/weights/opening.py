"""From names to weights: the functions a user calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from xstefaland.errors import (
    InputError,
    UnknownTargetError,
    WeightsError,
    join_problems,
)
from xstefaland.weights import cache, registry
from xstefaland.weights.card import TWO_WAY
from xstefaland.weights.files import Weights, read

WeightsLike = str | os.PathLike[str] | Weights
"""A name, a path, or weights that are open already."""

COLUMNS = (
    "name",
    "kind",
    "form",
    "version",
    "inputs",
    "targets",
    "readings",
    "members",
    "encoder",
    "size",
    "skill",
    "doi",
    "licence",
    "bundled",
    "retired",
    "cached",
    "description",
)


def list_weights() -> pd.DataFrame:
    """List all known weights.

    Returns
    -------
    pandas.DataFrame
        One row per weights file: name, kind (encoder or head), form (for ``head=``),
        version, inputs (daily ones), targets, readings (ways of reading that it knows:
        two-way, causal), members (heads whose mean it is), encoder (of a head), size
        [bytes], skill (medians at sites that were not trained on), doi, licence,
        bundled (ships inside the package), retired (shipped inside an older release),
        cached (needs no network), description.

    Examples
    --------
    >>> import xstefaland
    >>> table = xstefaland.weights.list()
    >>> table.loc[table.kind == "encoder", "name"].tolist()
    ['stefaland-base-v1']
    """
    rows = [
        {
            **{name: getattr(entry, name) for name in COLUMNS if name != "cached"},
            "cached": cache.is_cached(entry),
        }
        for entry in registry.table().entries
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"size": "Int64"})


def show(name_or_path: WeightsLike) -> None:
    """Print what weights are, need and were made from.

    Parameters
    ----------
    name_or_path : str, path or Weights
        As in :func:`load`; in a notebook the opened weights show the same as a table.

    Examples
    --------
    >>> import xstefaland
    >>> xstefaland.weights.show("streamflow-resconn-v1")  # doctest: +ELLIPSIS
    streamflow-resconn-v1: resconn head
      Predicts      streamflow [mm d-1]
    ...
    """
    sys.stdout.write(f"{load(name_or_path)!r}\n")


def fetch(name: str) -> Path:
    """Return a local, verified file of named weights, downloading it if needed.

    Parameters
    ----------
    name : str
        A name listed by ``xstefaland.weights.list()``.

    Returns
    -------
    Path
        The file, its sha256 checked.

    Raises
    ------
    WeightsNotFoundError
        For an unknown name.
    WeightsError
        When the file cannot be had.
    """
    return cache.fetch_entry(registry.table().get(name))


def fetch_all() -> list[Path]:
    """Fetch all published weights, so that nothing needs the network afterwards.

    Retired ones are left out.

    Returns
    -------
    list of Path
        The files.
    """
    entries = registry.table().entries
    wanted = [e for e in entries if e.sha256 is not None and not e.retired]
    return [cache.fetch_entry(entry) for entry in wanted]


def load(name_or_path: WeightsLike) -> Weights:
    """Open weights by name or path.

    Parameters
    ----------
    name_or_path : str, path or Weights
        A listed name, or a weights file. A name wins over a file of the same name;
        write ``"./name"`` for the file.

    Returns
    -------
    Weights
        ``.card``, ``.path``, ``.sha256``, ``.name``, and ``.model()``.

    Raises
    ------
    WeightsNotFoundError
        When there is neither.
    WeightsError
        When the file cannot be used; the reason is named.
    """
    if isinstance(name_or_path, Weights):
        return name_or_path
    if not isinstance(name_or_path, str | os.PathLike):
        raise InputError(
            f"weights cannot be {name_or_path!r}; pass a name listed by "
            "`xstefaland.weights.list()`, a path, or open weights."
        )
    text = os.fspath(name_or_path)
    table = registry.table()
    if text in table.names:
        return read(fetch(text))
    if _looks_like_path(name_or_path):
        return read(text)
    return read(fetch(table.get(text).name))  # get() raises, listing the names


def resolve_encoder(weights: WeightsLike | None = None) -> Weights:
    """Open the encoder that ``weights=`` names.

    Parameters
    ----------
    weights : str, path or Weights, optional
        Default: the registry's default encoder.

    Returns
    -------
    Weights
        An encoder.

    Raises
    ------
    WeightsError
        When it is a head.
    """
    found = load(registry.table().default_encoder if weights is None else weights)
    if found.kind != "encoder":
        raise WeightsError(
            f"'{found.name}' is a head, but `weights=` takes an encoder. Pass it as "
            f"`head='{found.path}'`."
        )
    return found


def resolve_head(
    target: str, head: WeightsLike | None = None, *, reading: str = TWO_WAY
) -> Weights:
    """Open the head for one target.

    Parameters
    ----------
    target : str
        What is to be predicted.
    head : str, path or Weights, optional
        A name, a form (``"resconn"``), a path or open weights; default: the target's
        entry in the registry.
    reading : str
        Way of reading that the registry's choice should know, see
        :meth:`~xstefaland.weights.registry.Registry.head_for`.

    Returns
    -------
    Weights
        A head whose targets include `target`.

    Raises
    ------
    UnknownTargetError
        When no head, or not this one, predicts the target; the targets are listed.
    WeightsError
        When the file is an encoder or cannot be had.
    """
    return resolve_heads([target], head, reading=reading)[target]


def resolve_heads(
    targets: Sequence[str], head: WeightsLike | None = None, *, reading: str = TWO_WAY
) -> dict[str, Weights]:
    """Open the head of each target; `head`, if given, must serve them all.

    Without `head`, targets of one balance come from one head, see
    :meth:`~xstefaland.weights.registry.Registry.heads_together`.

    Parameters
    ----------
    targets : sequence of str
        What is to be predicted.
    head : str, path or Weights, optional
        See :func:`resolve_head`.
    reading : str
        See :func:`resolve_head`.

    Returns
    -------
    dict of str to Weights
        One entry per target; targets may share a head.

    Raises
    ------
    UnknownTargetError
        With every target that has no head, or that `head` lacks.
    """
    if isinstance(targets, str) or not targets:
        raise InputError(
            f"targets={targets!r} is not possible; pass a list of at least one."
        )
    table = registry.table()
    if head is None or head in table.forms:
        form = None if head is None else str(head)
        names = _registry_heads(table, targets, form, reading)
        opened = {name: load(name) for name in set(names.values())}
        chosen = {target: opened[name] for target, name in names.items()}
    else:
        chosen = dict.fromkeys(targets, _load_head(head))
    _refuse_lacking(chosen, table)
    return chosen


def require_encoder(head: Weights, encoder: Weights) -> None:
    """Refuse a head that was trained on another encoder than `encoder`.

    Parameters
    ----------
    head, encoder : Weights
        An opened head and an opened encoder.

    Raises
    ------
    WeightsError
        When the kinds are wrong, or the head's encoder has another sha256.
    """
    problems = [
        f"'{weights.name}' ({weights.path}) is of kind '{weights.kind}', not '{kind}'"
        for weights, kind in ((head, "head"), (encoder, "encoder"))
        if weights.kind != kind
    ]
    wanted = head.card.encoder
    if not problems and wanted is not None and wanted.sha256 != encoder.sha256:
        problems.append(
            f"head '{head.name}' was trained on encoder '{wanted.name}' (sha256 "
            f"{wanted.sha256}), not on '{encoder.name}' (sha256 {encoder.sha256}); "
            f"pass `weights='{wanted.name}'` or a head trained on '{encoder.name}'"
        )
    if problems:
        raise WeightsError(join_problems("head and encoder do not match", problems))


def _registry_heads(
    table: registry.Registry, targets: Sequence[str], head: str | None, reading: str
) -> dict[str, str]:
    """Look every target up before opening any file; collect all that are unknown."""
    names, unknown = {}, []
    for target in targets:
        try:
            names[target] = table.head_for(target, head, reading=reading).name
        except UnknownTargetError as error:
            unknown.append((target, error))
    if len(unknown) == 1:
        raise unknown[0][1]
    if unknown:
        lacking = ", ".join(f"'{target}'" for target, _ in unknown)
        raise UnknownTargetError(
            f"There is no {'' if head is None else repr(head) + ' '}head for targets "
            f"{lacking}. Targets: {', '.join(table.targets)}."
        )
    if head is None:
        together = table.heads_together(targets, reading=reading)
        return {target: entry.name for target, entry in together.items()}
    return names


def _load_head(head: WeightsLike) -> Weights:
    """Open what ``head=`` names, other than a form."""
    found = load(head)
    if found.kind != "head":
        raise WeightsError(
            f"'{found.name}' is an encoder, but `head=` takes a head. Pass it as "
            f"`weights='{found.path}'`."
        )
    return found


def _refuse_lacking(chosen: dict[str, Weights], table: registry.Registry) -> None:
    """Compare the targets with what the opened files really predict."""
    lacking = [
        (target, weights)
        for target, weights in chosen.items()
        if target not in {spec.name for spec in weights.card.targets}
    ]
    if lacking:
        weights = lacking[0][1]
        raise UnknownTargetError(
            f"Head '{weights.name}' does not predict "
            f"{', '.join(repr(target) for target, _ in lacking)}. It predicts: "
            f"{', '.join(spec.name for spec in weights.card.targets)}. All targets of "
            f"listed heads: {', '.join(table.targets)}."
        )


def _looks_like_path(text: str | os.PathLike[str] | Weights) -> bool:
    """Tell a path from a name: it exists, has a folder or a suffix, or is a Path."""
    if not isinstance(text, str):
        return True
    has_folder = os.sep in text or "/" in text
    return (
        has_folder
        or text.endswith((".safetensors", ".pt", ".pth"))
        or os.path.exists(text)
    )
