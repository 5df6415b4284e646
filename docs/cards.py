"""One page per weights file, written from the card inside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from itertools import groupby
from typing import Any

from matplotlib.figure import Figure
from mdtables import code, table

from xstefaland.plotting import training_places
from xstefaland.weights import Card, Weights

UNKNOWN = "Not recorded in this file."


def weights_page(weights: Weights, entry: Mapping[str, Any]) -> str:
    """Write the model card of one weights file.

    Parameters
    ----------
    weights : Weights
        The file.
    entry : mapping
        Its row of ``xstefaland.weights.list()``.

    Returns
    -------
    str
        Markdown. Where the card records places of training it shows the picture
        ``<name>-places.png`` beside it, see :func:`places_picture`.
    """
    card = weights.card
    parts = [
        f"# {card.name}",
        f"{entry['description']}.",
        table(("", ""), _facts(weights, entry)),
        *_targets(card),
        *_inputs(card),
        *_skill(card),
        *_failures(card),
        *_places(card),
        *_data(card),
        *_command(card),
    ]
    return "\n\n".join(parts) + "\n"


def places_picture(weights: Weights) -> bytes | None:
    """Draw where weights were trained, as PNG; None where the card does not say."""
    places = weights.card.places
    if places is None or not places.cells:
        return None
    figure, out = Figure(figsize=(8, 4.2), layout="constrained"), BytesIO()
    training_places(weights, ax=figure.subplots(), coastlines=False)
    figure.savefig(out, dpi=110, metadata={"Software": None})
    return out.getvalue()


def _facts(weights: Weights, entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List what fits on a line."""
    card, size = weights.card, entry["size"]
    facts = {
        "kind": f"{card.kind}, form `{entry['form']}`, version {entry['version']}",
        "members": f"mean of {len(card.members)} networks" if card.members else "",
        "encoder": f"`{card.encoder.name}`" if card.encoder else "",
        "needs": "; ".join(" or ".join(code(c)) for c in card.required),
        "hidden inputs": ", ".join(code(card.masked_inputs)),
        "quantiles": ", ".join(f"{level:g}" for level in card.quantiles),
        "ways of reading": ", ".join(card.readings),
        "spin-up": f"{card.spinup_days} days" if card.spinup_days else "",
        "size": f"{size / 1e6:.1f} MB",
        "ships in the package": "yes" if entry["bundled"] else "no, it is fetched",
        "DOI": card.doi or "",
        "licence": card.licence,
        "made with": f"xstefaland {card.package_version}",
        "sha256": f"`{weights.sha256}`",
    }
    return [(key, value) for key, value in facts.items() if value]


def _targets(card: Card) -> list[str]:
    rows = [
        (f"`{t.name}`", t.long_name or "", t.units, t.standard_name or "")
        for t in card.targets
    ]
    head = ("name", "what", "units", "CF standard name")
    return ["## Predicts", table(head, rows)] if rows else []


def _inputs(card: Card) -> list[str]:
    """Tables of inputs with what was seen in training."""
    parts = ["## Inputs"]
    for title, specs in (("Forcings", card.forcing), ("Attributes", card.attributes)):
        rows = []
        for spec in specs:
            known = spec.minimum is not None and spec.maximum is not None
            span = f"{spec.minimum:.4g} to {spec.maximum:.4g}" if known else ""
            row = {"name": f"`{spec.name}`", "units": spec.units or ""}
            row |= {"seen in training": span}
            rows.append(row | ({"group": spec.group} if spec.group else {}))
        parts += [f"### {title}", *_rows(rows)] if rows else []
    return parts


def _skill(card: Card) -> list[str]:
    """Medians over all sites and by region, aridity, snow; and other measures."""
    parts = [
        "## Skill",
        "Measured at places left out of training: see [how](../../evaluation.md), and "
        "[where answers fail](../../behaviour.md).",
    ]
    for (target, inputs), rows in groupby(card.skill, lambda r: (r.target, r.inputs)):
        each = list(rows)
        names = list(dict.fromkeys(name for row in each for name in row.scores))
        lines = [
            (row.by, row.group, str(row.sites), *_scores(row.scores, names))
            for row in each
        ]
        title = f"{target.replace('_', ' ').capitalize()}: inputs {inputs}"
        parts += [f"### {title}", table(("by", "group", "sites", *names), lines)]
    bands = [
        (f"`{b.target}`", ", ".join(f"{x:g}" for x in b.levels), str(b.sites), b.source)
        for b in card.bands
    ]
    if bands:
        head = ("target", "levels", "sites", "fitted at")
        parts += ["### Quantiles from held-out sites", table(head, bands)]
    return parts + (_measured(card.metrics) or ([] if card.skill else [UNKNOWN]))


def _scores(scores: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    known = (scores.get(name) for name in names)
    return ["" if value is None else _text(value) for value in known]


def _failures(card: Card) -> list[str]:
    """List experiments on behaviour that a head failed."""
    if card.kind == "encoder":
        return []
    title = "## Fails"
    if not card.failures:
        return [title, f"{UNKNOWN} See the [table of behaviour](../../behaviour.md)."]
    lines = [f"- {each}" for each in card.failures]
    link = (
        "Experiments of the [table of behaviour](../../behaviour.md), with what came:"
    )
    return [title, link, "\n".join(lines)]


def _places(card: Card) -> list[str]:
    """Show where it was trained, and say what was left out."""
    parts = ["## Where it was trained"]
    if card.places is None or not card.places.cells:
        parts += [UNKNOWN]
    else:
        count, cells = card.places.count, len(card.places.cells)
        what = f"{count} places in {cells} cells of one degree"
        parts += [f"{what}:", f"![Map of {what}]({card.name}-places.png)"]
    if card.left_out:
        parts += [
            f"{len(card.left_out)} sites were left out of training. "
            "[`xstefaland.unseen`](../../howto/unseen.md) tells which of yours."
        ]
    return parts


def _data(card: Card) -> list[str]:
    """List files with their licences, then whatever else the card says of training."""
    files = card.training.get("data")
    rest = {key: value for key, value in card.training.items() if key != "data"}
    parts = ["## Data and licences", *(_measured({"data": files})[1:] or [UNKNOWN])]
    return parts + (["## Training", *_measured(rest)] if rest else [])


def _command(card: Card) -> list[str]:
    """Show the command that makes the file again."""
    command = f"```\n{card.command}\n```" if card.command else UNKNOWN
    return ["## Made by", command]


def _measured(values: Mapping[str, Any]) -> list[str]:
    """Plain values in one table, each list of rows in its own."""
    plain, parts = [], []
    for name, value in values.items():
        title = name.replace("_", " ")
        if isinstance(value, list) and value and isinstance(value[0], dict):
            parts += [f"### {title.capitalize()}", *_rows(value)]
        elif isinstance(value, dict):
            parts += [f"### {title.capitalize()}", *_measured(value)]
        elif value is not None:
            plain.append((title, _text(value)))
    return ([table(("", ""), plain)] if plain else []) + parts


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Rows in one table, with the columns that any of them has."""
    head = list(dict.fromkeys(key for row in rows for key in row))
    return [
        table(head, ([_cell(key, row.get(key, "")) for key in head] for row in rows))
    ]


def _cell(key: str, value: Any) -> str:
    return f"`{value}`" if key == "sha256" and value else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)
