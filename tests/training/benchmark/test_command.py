"""The command, its pages and figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from xstefaland import cli
from xstefaland.testing import tiny_weights
from xstefaland.training.benchmark.protocols import PROTOCOLS
from xstefaland.training.benchmark.published import PUBLISHED
from xstefaland.training.benchmark.writing import collect


def test_a_quick_landslide(real_data: Path, tmp_path: Path, capsys):
    """Page, table and figures; marked as no result; published scores apart."""
    status = cli.main(
        ["benchmark", "landslide", "--data", str(real_data), "--quick",
         "--systems", "linear", "boosted",
         "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    )  # fmt: skip
    assert status == 0
    page = (tmp_path / "landslide-quick.md").read_text()
    assert capsys.readouterr().out.strip() == page.strip()
    assert "no result" in page
    assert "| linear - boosted |" in page
    assert "## Published, for other data" in page
    table = pd.read_csv(tmp_path / "landslide-quick.csv")
    assert set(table["system"]) == {"linear", "boosted"}
    for kind in ("boxes", "curves", "map"):
        name = f"landslide-quick-{kind}.png"
        assert f"({name})" in page
        with Image.open(tmp_path / name) as picture:
            assert len(picture.convert("RGB").getcolors(10**6)) > 50
    collect(tmp_path, tmp_path / "page.md")
    assert "landslide" not in (tmp_path / "page.md").read_text()


def test_the_manual_includes_results(tmp_path: Path):
    """Pages of whole runs, with paths as the manual needs them."""
    (tmp_path / "results").mkdir()
    (tmp_path / "docs").mkdir()
    (tmp_path / "results" / "mine.md").write_text("# Mine\n")
    (tmp_path / "results" / "mine-quick.md").write_text("# Quick\n")
    (tmp_path / "results" / "why").mkdir()
    for name in ("mine", "gone"):
        text = f"## What won\n\n{name}\n"
        (tmp_path / "results" / "why" / f"{name}.md").write_text(text)
    assert cli.main(["benchmark", "--out", str(tmp_path / "results"), "--page",
                 str(tmp_path / "docs" / "b.md")]) == 0  # fmt: skip
    page = (tmp_path / "docs" / "b.md").read_text()
    assert "include} ../results/mine.md" in page
    assert page.index("../results/mine.md") < page.index("../results/why/mine.md")
    assert "quick" not in page
    assert "gone" not in page


def test_some_folds_and_encoders(real_data: Path, tmp_path: Path, capsys):
    """Which folds, and of several encoders the one that left them out."""
    encoders = [tiny_weights(tmp_path / f"{n}.safetensors", seed=n) for n in (0, 1)]
    line = [
        "benchmark",
        "landslide",
        "--data",
        str(real_data),
        "--quick",
        "--quiet",
        "--systems",
        "linear",
        "--folds",
        "1,3",
        "--runs",
        str(tmp_path / "runs"),
        "--out",
        str(tmp_path),
        "--encoder",
        *(str(e.path) for e in encoders),
    ]
    assert cli.main(line) == cli.OK
    table = pd.read_csv(tmp_path / "landslide-quick.csv")
    assert set(table["fold"]) == {1, 3}
    line[line.index("1,3")] = "9,"
    assert cli.main(line) == cli.PROBLEM
    assert "folds=[9]: [9] are none; there are [0, 1" in capsys.readouterr().err
    line[line.index("9,")] = "a"
    with pytest.raises(SystemExit):
        cli.main(line)
    assert "write 3, or 0,3" in capsys.readouterr().err


def test_usage(tmp_path: Path, capsys):
    """The list; what is missing; data that are not there."""
    assert cli.main(["benchmark", "--list"]) == cli.OK
    assert "camels-pub" in capsys.readouterr().out
    folder = str(tmp_path)
    for wrong, text in (
        ([], "name a benchmark"),
        (["landslide"], "say where the data are"),
        (["nothing"], "there is no benchmark 'nothing'; there are camels-pub"),
        (
            ["landslide", "--data", folder, "--runs", folder, "--quiet"],
            "landslides_ecuador_terrain.csv",
        ),
    ):
        assert cli.main(["benchmark", *wrong]) == cli.PROBLEM
        assert text in capsys.readouterr().err


def test_published_scores_belong_to_a_benchmark():
    """Each key is used, and every row has a number for each score."""
    assert {p.published for p in PROTOCOLS.values()} - {None} == set(PUBLISHED)
    for _, names, rows in PUBLISHED.values():
        assert {len(row) for row in rows.values()} == {len(names)}
