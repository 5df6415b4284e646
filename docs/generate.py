"""Pages made from data when the manual is built: variables, and one page per weights.

``conf.py`` calls :func:`write`; nothing of it is kept in the repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xstefaland
from xstefaland.inputs.quantities import GROUPS, Variable
from xstefaland.inputs.variables import ATTRIBUTES, FORCINGS
from xstefaland.weights import Card

VARIABLES_TEXT = """# Recognised variables

Every name by which `ds.stefaland` knows a variable without being told: the name itself,
its aliases (in upper or lower case) and CF standard names. What a Dataset calls
otherwise is named with `rename={"its name": "name below"}`. The page is made from the
catalogue in `xstefaland/inputs/variables.py`: one line there adds an alias.

Units are those the package works in; others are converted. Values beyond the range are
taken as missing. An alias in a product's own units has them behind it in brackets: they
are assumed for attributes that state none, and shown in the message for forcings.
"""
HEAD = ("name", "what", "units", "range", "CF standard names", "aliases")


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
    pages = {"variables": variables_page()}
    table = xstefaland.weights.list()
    for entry in table[table["cached"]].to_dict("records"):
        pages[f"weights/{entry['name']}"] = weights_page(entry)
    for name, text in pages.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return [folder / f"{name}.md" for name in pages]


def variables_page() -> str:
    """Write the table of forcings and those of attributes, group by group."""
    parts = [VARIABLES_TEXT, "## Forcings", _variables(FORCINGS)]
    for group in GROUPS:
        members = [each for each in ATTRIBUTES if each.group == group]
        parts += [f"## Attributes: {group}", _variables(members)]
    return "\n\n".join(parts) + "\n"


def weights_page(entry: Mapping[str, Any]) -> str:
    """Write the model card of one weights file.

    Parameters
    ----------
    entry : mapping
        Its row of ``xstefaland.weights.list()``.
    """
    weights = xstefaland.weights.load(entry["name"])
    card = weights.card
    facts = {
        "kind": f"{card.kind}, form `{entry['form']}`, version {entry['version']}",
        "encoder": f"`{card.encoder.name}`" if card.encoder else "",
        "needs": "; ".join(" or ".join(_code(c)) for c in card.required),
        "hidden inputs": ", ".join(_code(card.masked_inputs)),
        "quantiles": ", ".join(f"{level:g}" for level in card.quantiles),
        "ways of reading": ", ".join(card.readings),
        "spin-up": f"{card.spinup_days} days" if card.spinup_days else "",
        "sites left out of training": str(len(card.left_out) or ""),
        "size": f"{entry['size'] / 1e6:.1f} MB",
        "ships in the package": "yes" if entry["bundled"] else "no, it is fetched",
        "licence": card.licence,
        "made with": f"xstefaland {card.package_version}",
        "sha256": f"`{weights.sha256}`",
    }
    parts = [
        f"# {entry['name']}",
        f"{entry['description']}.",
        _table(("", ""), [(k, v) for k, v in facts.items() if v]),
        *_targets(card),
        *_inputs(card),
        "## Skill",
        "Measured at places left out of training: see [how](../../evaluation.md), and "
        "[where answers fail](../../behaviour.md).",
        *_measured(card.metrics),
        "## Training",
        *_measured(card.training),
    ]
    return "\n\n".join(parts) + "\n"


def _variables(variables: Iterable[Variable]) -> str:
    rows = []
    for each in variables:
        own = dict(each.alias_units)
        aliases = [
            f"`{a}`" + (f" ({own[a.lower()]})" if a.lower() in own else "")
            for a in each.aliases
        ]
        low, high = each.valid_range
        names = (", ".join(_code(each.standard_names)), ", ".join(aliases))
        span = f"{low:g} to {high:g}"
        rows.append((f"`{each.name}`", each.long_name, each.units, span, *names))
    return _table(HEAD, rows)


def _targets(card: Card) -> list[str]:
    rows = [
        (f"`{t.name}`", t.long_name or "", t.units, t.standard_name or "")
        for t in card.targets
    ]
    head = ("name", "what", "units", "CF standard name")
    return ["## Predicts", _table(head, rows)] if rows else []


def _inputs(card: Card) -> list[str]:
    """Tables of inputs with what was seen in training."""
    head = ("name", "units", "seen in training", "group")
    parts = ["## Inputs"]
    for title, specs in (("Forcings", card.forcing), ("Attributes", card.attributes)):
        rows = []
        for spec in specs:
            known = spec.minimum is not None and spec.maximum is not None
            span = f"{spec.minimum:.4g} to {spec.maximum:.4g}" if known else ""
            rows.append((f"`{spec.name}`", spec.units or "", span, spec.group or ""))
        if rows:
            parts += [f"### {title}", _table(head, rows)]
    return parts


def _measured(values: Mapping[str, Any]) -> list[str]:
    """Plain values in one table, each list of rows in its own."""
    plain, parts = [], []
    for name, value in values.items():
        title = name.replace("_", " ")
        if isinstance(value, list) and value and isinstance(value[0], dict):
            head = list(dict.fromkeys(key for row in value for key in row))
            rows = [[_text(row.get(key, "")) for key in head] for row in value]
            parts += [f"### {title.capitalize()}", _table(head, rows)]
        elif isinstance(value, dict):
            parts += [f"### {title.capitalize()}", *_measured(value)]
        else:
            plain.append((title, _text(value)))
    return ([_table(("", ""), plain)] if plain else []) + parts


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)


def _code(names: Iterable[str]) -> list[str]:
    return [f"`{name}`" for name in names]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of Markdown; bars inside cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    cells = ([str(cell).replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
