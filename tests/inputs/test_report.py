"""The report reads well as text and as HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest

from xstefaland.inputs.report import COLUMNS, Report

ROWS = [
    ("precipitation", "forcing, required", "pr", "alias", "kg m-2 s-1 -> mm d-1"),
    ("clay", "attribute (soil)", "", "missing", "percent"),
    ("p_mean", "attribute", "needs 3 complete years", "missing", "mm d-1"),
    ("sand", "attribute (soil)", "", "hidden", "percent"),
]


@pytest.fixture
def report() -> Report:
    """Two problems, a warning, one variable found, three missing, three unused."""
    return Report(
        problems=["no <units>", "no time"],
        warnings=["odd values"],
        table=pd.DataFrame(ROWS, columns=list(COLUMNS)),
        facts={"Sites": "4 (basin)", "Latitude": "unknown"},
        ignored={"q": "a target", "q95": "a target", "name": "text"},
        helpful="clay [percent]",
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
        "         name        needed for found as   how                units",
        "precipitation forcing, required       pr alias kg m-2 s-1 -> mm d-1",
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
    assert "1 of 4 variables" in html
    assert "3 variables are missing" in html
    for part in ("2 problems", "odd values", "kg m-2 s-1 -&gt; mm d-1", "q, q95"):
        assert part in html


def test_ready() -> None:
    """Without problems the report is ok and short."""
    empty = Report([], [], pd.DataFrame(columns=list(COLUMNS)))
    assert empty.ok
    assert str(empty) == "xstefaland: ready"
    assert "ready" in empty._repr_html_()


def test_one_problem() -> None:
    """Singular."""
    assert (
        Report(["x"], [], pd.DataFrame(columns=list(COLUMNS))).headline == "1 problem"
    )
