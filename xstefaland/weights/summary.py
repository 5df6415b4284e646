"""Summaries: what a weights file is, in text and in HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from xstefaland.weights.members import LEVEL, Network, levels_of

if TYPE_CHECKING:
    from xstefaland.weights.card import Card

COLUMNS = ("target", "inputs", "by", "group", "sites")
_CELL = "text-align: left; vertical-align: top; padding: 1px 12px 1px 0"
_BOX = "font-family: sans-serif; font-size: 13px; line-height: 1.45; overflow-x: auto"


def text(card: Card) -> str:
    """Summarise a card as text.

    Parameters
    ----------
    card : Card
        Of any weights.

    Examples
    --------
    >>> from xstefaland.testing import tiny_weights
    >>> print(text(tiny_weights(forcing=("precipitation", "temperature")).card))
    tiny: encoder
      Daily inputs  precipitation [mm d-1], temperature [degC]
      Required      precipitation; temperature
      Attributes    elevation, slope, clay, frac_forest
      Reads         two-way
      Licence       Apache-2.0
    """
    entries = facts(card)
    width = max(map(len, entries))
    lines = [headline(card)]
    lines += [f"  {key:<{width}}  {value}" for key, value in entries.items()]
    table = skill(card)
    if len(table):
        lines += ["", table.to_string(index=False)]
    return "\n".join(lines)


def html(card: Card) -> str:
    """Summarise a card for a notebook."""
    rows = "".join(
        f'<tr><th style="{_CELL}; white-space: nowrap">{escape(key)}</th>'
        f'<td style="{_CELL}">{escape(value)}</td></tr>'
        for key, value in facts(card).items()
    )
    table, more = skill(card), ""
    if len(table):
        inner = table.to_html(index=False, border=0, na_rep="")
        title = "Skill at sites that were not trained on"
        more = f"<details open><summary>{title}</summary>{inner}</details>"
    title = f"<b>{escape(headline(card))}</b>"
    facts_of = f'<table style="font-size: inherit">{rows}</table>'
    return f'<div style="{_BOX}">{title}{facts_of}{more}</div>'


def headline(card: Card) -> str:
    """Name the weights and say what they are."""
    if card.kind == "encoder":
        return f"{card.name}: encoder"
    if not card.members:
        return f"{card.name}: {form(card)} head"
    answering = [member for member in card.members if member.role != LEVEL]
    said = f"{card.name}: mean of {len(answering)} heads ({_counted(answering)})"
    level = [member for member in card.members if member.role == LEVEL]
    return f"{said}, at the level of {_counted(level)}" if level else said


def _counted(members: Iterable[Network]) -> str:
    """Count the forms of some heads."""
    kinds = Counter(map(form, members))
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())


def form(network: Network) -> str:
    """Name the form of one head, as ``head=`` takes it.

    See Also
    --------
    xstefaland.training.choices.form_of : The same of a configuration.
    """
    kind, physics = network.config.get("kind", "resconn"), network.config.get("physics")
    return f"{kind}-{physics}" if physics else str(kind)


def facts(card: Card) -> dict[str, str]:
    """Say what there is to say, entry by entry; what a card leaves open is left out."""
    entries = {
        "Predicts": _listed(f"{t.name} [{t.units}]" for t in card.targets),
        "Quantiles": "; ".join(_quantiles(card)),
        "Daily inputs": _listed(f"{v.name} [{v.units}]" for v in card.forcing),
        "Required": "; ".join(" or ".join(choice) for choice in card.required),
        "Attributes": _listed(v.name for v in card.attributes),
        "Hidden": _listed(card.masked_inputs),
        "Encoder": _encoder(card),
        "Embedding": _external(card),
        "Reads": _listed(card.readings),
        "Trained at": _places(card),
        "Left out": f"{len(card.left_out)} sites" if card.left_out else "",
        "Data": "; ".join(_data(card)),
        "Fails": _listed(card.failures),
        "Made by": card.command,
        "DOI": card.doi or "",
        "Licence": card.licence,
    }
    return {key: value for key, value in entries.items() if value}


def skill(card: Card) -> pd.DataFrame:
    """Tabulate the skill of a card, one row per group of sites."""
    rows = [
        {**{name: getattr(row, name) for name in COLUMNS}, **row.scores}
        for row in card.skill
    ]
    return pd.DataFrame(rows)


def brief_skill(card: Card) -> str:
    """Say the skill over all sites in a few words, for the table of weights."""
    if card.skill:
        return str(card.skill[0])
    numbers = [f"{k} {v}" for k, v in card.metrics.items() if isinstance(v, float)]
    return ", ".join(numbers[:3])


def _listed(names: Iterable[str]) -> str:
    """Names in one line."""
    return ", ".join(names)


def _quantiles(card: Card) -> list[str]:
    """List the levels of each target that has any."""
    sites = {band.target: band.sites for band in card.bands}
    out = []
    for target in card.targets:
        levels = ", ".join(f"{level:g}" for level in levels_of(card, target.name))
        where = (
            f" (corrected at {sites[target.name]} sites)"
            if target.name in sites
            else ""
        )
        out += [f"{target.name}: {levels}{where}"] if levels else []
    return out


def _encoder(card: Card) -> str:
    """Name of the encoder that a head reads, with the start of its hash."""
    return f"{card.encoder.name} ({card.encoder.sha256[:12]})" if card.encoder else ""


def _external(card: Card) -> str:
    """Say which embeddings of others a head reads."""
    if card.external is None:
        return ""
    found = card.external
    when = "a day" if found.daily else "a site"
    return f"external embedding, width {found.width}, one {when}: {found.name}"


def _places(card: Card) -> str:
    """Say how many places the weights were trained at, and how widely spread."""
    if card.places is None:
        return ""
    return f"{card.places.count} sites in {len(card.places.cells)} one-degree cells"


def _data(card: Card) -> list[str]:
    """Name each source with its licence; cards may hold anything there."""
    entries = card.training.get("data", [])
    out = []
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            licence = entry.get("licence", entry.get("license", "licence not stated"))
            out.append(f"{entry.get('name')} ({licence})")
    return out
