"""The report reads well as text and as HTML."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest

from xstefaland.inputs.report import COLUMNS, Report

ROWS = [
    ("precipitation", "forcing, required", "pr", "alias", "kg m-2 s-1 -> mm d-1"),
    ("clay", "attribute (soil)", "", "missing", "percent"),
    ("p_mean", "attribute", "needs 3 complete years", "missing", "mm d-1"),
    ("sand", "attribute (soil)", "", "hidden", "percent"),
    ("aridity", "attribute", "precipitation: climate", "derived", "1"),
    ("frac_snow", "attribute", "precipitation: climate", "derived", "1"),
]


@pytest.fixture
def report() -> Report:
    """Two problems, a warning, one variable given, two derived, three missing."""
    return Report(
        problems=["no <units>", "no time"],
        warnings=["odd values"],
        table=pd.DataFrame(ROWS, columns=list(COLUMNS)),
        facts={"Sites": "4 (basin)", "Latitude": "unknown"},
        ignored={"q": "a target", "q95": "a target", "name": "text"},
        helpful="clay [percent]",
        targets={"recharge": "needs wind", "streamflow": "ready"},
    )


class Tags(HTMLParser):
    """Checks that tags are closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Remember an opened tag."""
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag opened last."""
        assert self.open.pop() == tag


def test_text(report: Report) -> None:
    """Headline, numbered problems, table, help, and unused variables by reason."""
    assert str(report).splitlines() == [
        "xstefaland: 2 problems",
        "  Sites     4 (basin)",
        "  Latitude  unknown",
        "",
        "Problems",
        "  1. no <units>",
        "  2. no time",
        "",
        "Warnings",
        "  1. odd values",
        "",
        "Targets",
        "  recharge: needs wind",
        "  streamflow: once the problems are solved",
        "",
        "         name        needed for found as   how                units",
        "precipitation forcing, required       pr alias kg m-2 s-1 -> mm d-1",
        "",
        "Derived",
        "  aridity, frac_snow from precipitation: climate",
        "",
        "Missing",
        "  clay",
        "  p_mean: needs 3 complete years",
        "  sand: hidden",
        "",
        "What would help most: clay [percent]",
        "",
        "Not used",
        "  q, q95: a target",
        "  name: text",
    ]
    assert repr(report) == str(report)


def test_html(report: Report) -> None:
    """Well-formed, escaped, with the same content."""
    html = report._repr_html_()
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert "no &lt;units&gt;" in html
    assert "1 of 6 variables" in html
    assert "2 are derived" in html
    assert "3 are missing" in html
    assert "3 of the Dataset are not used" in html
    assert "recharge: needs wind; streamflow: once" in html
    for part in ("2 problems", "odd values", "kg m-2 s-1 -&gt; mm d-1", "q, q95"):
        assert part in html


def test_html_counts_one_and_marks_code(report: Report) -> None:
    """One is, two are; names and calls in backticks look like code, escaped too."""
    how = report.table["how"]
    one = report.table[how.isin(["derived", "missing"])].drop_duplicates("how")
    facts = {"Training": "see `unseen`", "Time": "`a<b`"}
    html = replace(report, table=one, ignored={"q": ""}, facts=facts)._repr_html_()
    for part in ("1 is derived", "1 is missing", "1 of the Dataset is not used"):
        assert part in html
    assert "see <code>unseen</code>" in html
    assert "<code>a&lt;b</code>" in html
    assert "`" not in html


def rgb(colour: str) -> list[int]:
    """Red, green and blue of a colour such as #1a7f37."""
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def luminance(values: list[int]) -> float:
    """Relative luminance of red, green and blue (WCAG 2.2)."""
    shares = [value / 255 for value in values]
    red, green, blue = (
        s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(
    ("text", "grounds"),
    [
        ("#000000", ("#ffffff", "#f8f9fb", "#efeff4")),  # the manual, light
        ("#cfd0d0", ("#131416", "#1a1c1e", "#1e2124")),  # and dark
        ("#212121", ("#ffffff", "#f5f5f5")),  # JupyterLab, light
        ("#ffffff", ("#111111", "#212121")),  # and dark
        ("#3b3b3b", ("#ffffff", "#f8f8f8")),  # VS Code, light
        ("#cccccc", ("#1f1f1f", "#181818")),  # and dark
    ],
)
@pytest.mark.parametrize("problems", [[], ["no time"]])
def test_colours_are_readable(
    report: Report, problems: list[str], text: str, grounds: tuple[str, ...]
) -> None:
    """Contrast of at least 4.5 where notebooks are read; hues are mixed with text."""
    html = replace(report, problems=problems)._repr_html_()
    mixes = re.findall(r"color-mix\(in srgb, (#\w{6}) (\d+)%, currentColor\)", html)
    assert html.count("color:") == len(mixes) > 0
    for hue, share in mixes:
        part = int(share) / 100
        pairs = zip(rgb(hue), rgb(text), strict=True)
        mixed = [round(part * one + (1 - part) * other) for one, other in pairs]
        for ground in grounds:
            low, high = sorted((luminance(mixed), luminance(rgb(ground))))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (hue, ground)


def test_ready() -> None:
    """Without problems the report is ok and short."""
    empty = Report([], [], pd.DataFrame(columns=list(COLUMNS)))
    assert empty.ok
    assert str(empty) == "xstefaland: ready"
    assert "ready" in empty._repr_html_()


def test_derived_rows_do_not_outshout_given_ones(report: Report) -> None:
    """Only what is given has a row, without a colour of its own; derived is folded."""
    html = report._repr_html_()
    assert html.count("<td") == 2 * 1 + 5
    assert "<details><summary>2 are derived</summary>" in html
    rows = [line for line in str(report).splitlines() if line.endswith("mm d-1")]
    assert len(rows) == 1


def test_targets_of_short_records_are_not_ready_with_problems(report: Report) -> None:
    """What else is said of them waits too."""
    short = replace(report, targets={"streamflow": "ready, from less than 365 days"})
    assert "less than" in str(replace(short, problems=[]))
    told = str(replace(short, problems=["no units"]))
    assert "less than" not in told
    assert "once the problems are solved" in told


def test_targets_are_ready_without_problems(report: Report) -> None:
    """And wait for the problems otherwise."""
    good = replace(report, problems=[])
    assert "  streamflow: ready" in str(good).splitlines()


def test_one_problem() -> None:
    """Singular."""
    assert (
        Report(["x"], [], pd.DataFrame(columns=list(COLUMNS))).headline == "1 problem"
    )
