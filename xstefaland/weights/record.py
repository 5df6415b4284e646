"""Change the table of weights: for maintainers who publish a new file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, replace

from xstefaland.errors import WeightsError
from xstefaland.weights import registry
from xstefaland.weights.files import Weights
from xstefaland.weights.registry import Entry


def record(
    weights: Weights,
    *,
    alias: str,
    version: str,
    description: str,
    default_for: Sequence[str] = (),
    bundled: bool = True,
) -> Entry:
    """Enter a weights file into the table, replacing the line of the same name.

    Name, kind, targets, encoder, licence, hash and size come from the file. A target
    has one default head: another head that was the default of one of `default_for`
    loses it.

    Parameters
    ----------
    weights : Weights
        The opened file. For ``bundled=True`` it must lie in ``weights/bundled``.
    alias, version, description, default_for, bundled
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
        alias=alias,
        version=version,
        file=weights.path.name,
        sha256=weights.sha256,
        size=weights.path.stat().st_size,
        targets=tuple(target.name for target in card.targets),
        default_for=tuple(default_for),
        encoder=card.encoder.name if card.encoder else None,
        bundled=bundled,
        licence=card.licence,
        description=description,
    )
    if bundled and weights.path.parent != registry.BUNDLED.resolve():
        raise WeightsError(
            f"'{weights.path}' is to be bundled; save it in '{registry.BUNDLED}'."
        )
    old = registry.table()
    entries = [_without_defaults(other, default_for) for other in old.entries]
    if entry.name in old.names:
        entries[old.names.index(entry.name)] = entry
    else:
        entries.append(entry)
    _write(registry.Registry(tuple(entries), old.default_encoder))
    return entry


def _without_defaults(entry: Entry, targets: Sequence[str]) -> Entry:
    kept = tuple(t for t in entry.default_for if t not in targets)
    return replace(entry, default_for=kept)


def _write(table: registry.Registry) -> None:
    """Check the table and replace the file in one step."""
    registry.refuse_contradictions(table)
    text = json.dumps(asdict(table), indent=2) + "\n"
    temporary = registry.REGISTRY_FILE.with_suffix(".part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, registry.REGISTRY_FILE)
