"""The report of a check: everything that is wrong, assumed and missing, at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

import pandas as pd

COLUMNS = ("name", "needed for", "found as", "how", "units")


def _coloured(hue: str) -> str:
    """Mix a hue with the colour of the text around: readable on any background."""
    return f"color: color-mix(in srgb, {hue} 60%, currentColor); font-weight: 600"


_STYLE = {
    "box": "font-family: sans-serif; font-size: 13px; line-height: 1.45; "
    "overflow-x: auto",
    "ok": _coloured("#1a7f37"),
    "bad": _coloured("#d1242f"),
    "warn": _coloured("#b37400"),
    "cell": "text-align: left; padding: 1px 12px 1px 0; white-space: nowrap",
}
_FONT = 'style="font-size: inherit"'
_ABSENT, _MADE = ("missing", "hidden"), ("derived",)
READY = "ready"
_LATER = "once the problems are solved"


@dataclass(frozen=True)
class Report:
    """What a check of a Dataset found.

    Attributes
    ----------
    problems : list of str
        What makes the Dataset unusable, each with the call that fixes it.
    warnings : list of str
        What is suspicious but possible.
    table : pandas.DataFrame
        One row per variable of the model: `name`, `needed for`, `found as`, `how`
        (name, alias, standard_name, rename, derived, missing or hidden) and `units`
        (from -> to).
    facts : dict of str to str
        Sites, days, latitude and memory of the Dataset, in a few words.
    ignored : dict of str to str
        Variables of the Dataset that are not used, and why.
    helpful : str
        The inputs that would help most, or an empty string.
    missing : list of str
        Those of the problems that are a required input missing.
    targets : dict of str to str
        What can be predicted: ``"ready"``, or the inputs it needs besides.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     [["precipitation", "forcing", "pr", "alias", "mm d-1"]], columns=COLUMNS
    ... )
    >>> print(Report([], [], table, facts={"Sites": "a single site"}))
    xstefaland: ready
      Sites  a single site
    <BLANKLINE>
             name needed for found as   how  units
    precipitation    forcing       pr alias mm d-1
    """

    problems: list[str]
    warnings: list[str]
    table: pd.DataFrame
    facts: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    helpful: str = ""
    missing: list[str] = field(default_factory=list)
    targets: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the Dataset can be used."""
        return not self.problems

    @property
    def headline(self) -> str:
        """One line: ready, or the number of problems."""
        count = len(self.problems)
        return "ready" if not count else f"{count} problem{'s' if count > 1 else ''}"

    def __str__(self) -> str:
        """Return the report as text."""
        width = max(map(len, self.facts), default=0)
        lines = [f"xstefaland: {self.headline}"]
        lines += [f"  {key:<{width}}  {text}" for key, text in self.facts.items()]
        lines += _section("Problems", self.problems)
        lines += _section("Warnings", self.warnings)
        lines += _reasons("Targets", self._answers)
        if len(self._given):
            lines += ["", self._given.to_string(index=False)]
        lines += _reasons("Derived", self._derived, " from ")
        lines += _reasons("Missing", self._missing)
        if self.helpful:
            lines += ["", f"What would help most: {self.helpful}"]
        lines += _reasons("Not used", self._unused)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the report for a notebook."""
        parts = [
            _span("ok" if self.ok else "bad", f"xstefaland: {self.headline}"),
            _facts(self.facts),
            _list("bad", "Problems", self.problems),
            _list("warn", "Warnings", self.warnings),
            _plain("Targets", self._answers),
            _table(self._given, len(self.table)),
        ]
        if self._derived:
            title = f"{_are(self._count(_MADE))} derived"
            parts.append(_details(self._derived, title, " from "))
        if self._missing:
            title = f"{_are(self._count(_ABSENT))} missing"
            parts.append(_details(self._missing, title))
        if self.helpful:
            parts.append(
                f"<div><b>What would help most:</b> {_marked(self.helpful)}</div>"
            )
        if self.ignored:
            title = f"{_are(len(self.ignored), ' of the Dataset')} not used"
            parts.append(_details(self._unused, title))
        return f'<div style="{_STYLE["box"]}">{"".join(filter(None, parts))}</div>'

    @property
    def _given(self) -> pd.DataFrame:
        """Rows of variables that the Dataset itself has."""
        return self.table[~self.table["how"].isin((*_ABSENT, *_MADE))]

    @property
    def _derived(self) -> dict[str, str]:
        """Names of derived variables, by what they are made from."""
        made = self.table[self.table["how"].isin(_MADE)]
        return _by_reason(zip(made["name"], made["found as"], strict=True))

    @property
    def _answers(self) -> dict[str, str]:
        """Targets by their status; none is ready while there are problems."""
        if self.ok:
            return _by_reason(self.targets.items())
        late = {
            name: _LATER if s.startswith(READY) else s
            for name, s in self.targets.items()
        }
        return _by_reason(late.items())

    def _count(self, how: tuple[str, ...]) -> int:
        """Count the variables with one of these entries in the column `how`."""
        return int(self.table["how"].isin(how).sum())

    @property
    def _missing(self) -> dict[str, str]:
        """Names of variables without source, by what the table says on them."""
        absent = self.table[self.table["how"].isin(_ABSENT)]
        hidden = absent["found as"].where(absent["how"] != "hidden", "hidden")
        return _by_reason(zip(absent["name"], hidden, strict=True))

    @property
    def _unused(self) -> dict[str, str]:
        """Names of variables that are not used, by reason."""
        return _by_reason(self.ignored.items())


def joined(reports: Sequence[Report]) -> Report:
    """Join the reports of several models on one Dataset.

    Parameters
    ----------
    reports : sequence of Report
        At least one.

    Returns
    -------
    Report
        Problems and warnings of all, each once; one row per variable, from the first
        report that has it.
    """
    first = reports[0]
    if len(reports) == 1:
        return first
    table = pd.concat([report.table for report in reports])
    unused = set.intersection(*(set(report.ignored) for report in reports))
    return Report(
        problems=_once(text for report in reports for text in report.problems),
        warnings=_once(text for report in reports for text in report.warnings),
        table=table.drop_duplicates("name", ignore_index=True),
        facts=first.facts,
        ignored={name: why for name, why in first.ignored.items() if name in unused},
        helpful=first.helpful,
        missing=_once(text for report in reports for text in report.missing),
        targets={k: v for report in reports for k, v in report.targets.items()},
    )


def _once(texts: Iterable[str]) -> list[str]:
    """Texts in their order, without repetition."""
    return list(dict.fromkeys(texts))


def _by_reason(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join names with the same reason, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, why in pairs:
        reasons.setdefault(why, []).append(name)
    return {why: ", ".join(names) for why, names in reasons.items()}


def _line(names: str, why: str, glue: str = ": ") -> str:
    """Write names with their reason, where there is one."""
    return f"{names}{glue}{why}" if why else names


def _reasons(title: str, reasons: dict[str, str], glue: str = ": ") -> list[str]:
    """Lines of names by reason under a title; none for nothing."""
    lines = [f"  {_line(names, why, glue)}" for why, names in reasons.items()]
    return ["", title, *lines] if lines else []


def _section(title: str, texts: list[str]) -> list[str]:
    """Numbered lines under a title; none for nothing."""
    lines = [f"  {number}. {text}" for number, text in enumerate(texts, start=1)]
    return ["", title, *lines] if texts else []


def _are(count: int, of: str = "") -> str:
    """Write "1 is", "2 are"."""
    return f"{count}{of} {'is' if count == 1 else 'are'}"


def _marked(text: str) -> str:
    """Escape a text; what stands between backticks is code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def _span(style: str, text: str) -> str:
    """Text in one of the styles, as HTML."""
    return f'<span style="{_STYLE[style]}">{escape(text)}</span>'


def _facts(facts: dict[str, str]) -> str:
    """Facts as an HTML table; empty for none."""
    rows = [
        f'<tr><th style="{_STYLE["cell"]}">{escape(key)}</th>'
        f'<td style="{_STYLE["cell"]}">{_marked(text)}</td></tr>'
        for key, text in facts.items()
    ]
    return f"<table {_FONT}>{''.join(rows)}</table>" if rows else ""


def _list(style: str, title: str, texts: list[str]) -> str:
    """Texts as a numbered HTML list under a title; empty for none."""
    items = "".join(f"<li>{_marked(text)}</li>" for text in texts)
    return f"<div>{_span(style, title)}<ol>{items}</ol></div>" if texts else ""


def _plain(title: str, reasons: dict[str, str]) -> str:
    """Names by reason in one line of HTML, always in sight; empty for none."""
    lines = [_marked(_line(names, why)) for why, names in reasons.items()]
    return f"<div><b>{title}:</b> {'; '.join(lines)}</div>" if lines else ""


def _details(reasons: dict[str, str], title: str, glue: str = ": ") -> str:
    """Names by reason as an HTML list, folded away under its title."""
    lines = [_line(names, why, glue) for why, names in reasons.items()]
    items = "".join(f"<li>{_marked(line)}</li>" for line in lines)
    return f"<details><summary>{escape(title)}</summary><ul>{items}</ul></details>"


def _table(table: pd.DataFrame, total: int) -> str:
    """Write the given variables as an HTML table; empty for none."""
    if not len(table):
        return ""
    head = "".join(f'<th style="{_STYLE["cell"]}">{c}</th>' for c in COLUMNS)
    rows = []
    for row in table.itertuples(index=False):
        cells = "".join(
            f'<td style="{_STYLE["cell"]}">{escape(str(cell))}</td>' for cell in row
        )
        rows.append(f"<tr>{cells}</tr>")
    summary = f"<summary>{len(table)} of {total} variables are given</summary>"
    parts = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f"<details open>{summary}<table {_FONT}>{parts}</table></details>"
