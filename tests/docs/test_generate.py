"""Pages made from the catalogue and the cards say all that is in them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

import xstefaland
from xstefaland.cli import COMMANDS
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.testing import tiny_head, tiny_weights
from xstefaland.training.publishing import publish_ensemble
from xstefaland.weights import Band, Places, Skill, Weights

UNKNOWN = "Not recorded in this file."
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The module, which is no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        return importlib.import_module("generate")


def rows(page: str) -> dict[str, list[str]]:
    """Cells of each line of its tables, by the first."""
    lines = [line for line in page.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {line[0].strip("`"): line for line in cells}


def test_every_variable_has_its_line(generate: ModuleType) -> None:
    """Name, units, range, standard names and every alias, with a product's units."""
    table = rows(generate.variables_page())
    assert CATALOGUE.keys() <= table.keys()
    for name, variable in CATALOGUE.items():
        _, what, units, span, names = table[name]
        assert (what, units) == (variable.long_name, f"`{variable.units}`")
        assert span == "{:g} to {:g}".format(*variable.valid_range)
        known = re.findall("`(.*?)`", names)
        assert known == [*variable.aliases, *variable.standard_names]
    assert "`surface_pressure_mean` (kPa)" in table["surface_pressure"][-1]


def test_every_weights_file_has_its_page(generate: ModuleType, tmp_path: Path) -> None:
    """Inputs, targets, hash and data; a second build writes nothing anew."""
    paths = generate.write(tmp_path)
    stamps = [path.stat().st_mtime_ns for path in paths]
    assert generate.write(tmp_path) == paths
    assert [path.stat().st_mtime_ns for path in paths] == stamps
    names = {path.stem for path in paths if path.parent.name == "weights"}
    table = xstefaland.weights.list()
    assert names == set(table["name"][table["cached"]])
    for path in paths:
        if path.parent.name != "weights":
            continue
        weights = xstefaland.weights.load(path.stem)
        page = path.read_text(encoding="utf-8")
        lines = rows(page)
        wanted = [*weights.card.forcing, *weights.card.attributes]
        assert {spec.name for spec in wanted} <= lines.keys()
        assert {target.name for target in weights.card.targets} <= lines.keys()
        assert weights.sha256 in page
        assert all(source["name"] in page for source in weights.card.training["data"])


def test_every_command_has_its_help(generate: ModuleType) -> None:
    """The tutorial, and all arguments of each command, as the terminal has them."""
    page = generate.commands_page()
    assert "xstefaland check weather.nc --target streamflow" in page
    for command in COMMANDS:
        _, _, own = page.partition(f"\n## {command.name}\n")
        assert own.lstrip().startswith(f"```text\nusage: xstefaland {command.name} ")
        assert command.more.strip() in own
    assert max(map(len, page.splitlines())) <= 88


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """An ensemble with all the evidence that newer weights come with."""
    encoder = tiny_weights()
    heads = [tiny_head(encoder, seed=seed) for seed in (1, 2)]
    groups = [("all", "all", 61), ("region", "GB", 20), ("aridity", "dry", 9)]
    skill = [
        Skill(
            target="streamflow",
            by=by,
            group=group,
            sites=sites,
            scores={"nse": 0.6123456, "kge": None} if by == "all" else {"nse": 0.5},
            inputs=inputs,
        )
        for inputs in ("complete", "precipitation and temperature")
        for by, group, sites in groups
    ]
    band = Band(
        target="streamflow",
        levels=(0.25, 0.5, 0.75),
        knots=(0.0, 1.0),
        offsets=((0.0, 0.0, 0.1), (0.0, 0.1, 0.2)),
        sites=30,
        source="30 held-out sites",
    )
    return publish_ensemble(
        heads,
        name="flow-v2",
        form="ensemble",
        description="Two heads",
        folder=tmp_path_factory.mktemp("weights"),
        skill=tuple(skill),
        failures=("warming dries: +0.1 (direction)", "no rain | no flow: 0.4 (limit)"),
        places=Places.of([47.2, 47.9, -33.1], [8.1, 8.7, 18.4]),
        command="python -m benchmarks.weights publish --only flow-v2",
        metrics={"coverage": {"50%": 0.512}},
        bands=[band],
        training={"data": [{"name": "rivers.nc", "licence": "CC-BY-4.0"}], "seeds": 2},
        left_out=("camels-gb-1", "camels-gb-2"),
    )


def test_a_page_shows_the_evidence(generate: ModuleType, published: Weights) -> None:
    """Skill by group, quantiles, failures, places, licences and the command."""
    entry = {"form": "ensemble", "version": "v2", "size": 5e5, "bundled": True}
    entry |= {"description": "Two heads"}
    page = generate.weights_page(published, entry)
    lines = rows(page)
    assert lines["members"][1] == "mean of 2 networks"
    assert lines["by"] == ["by", "group", "sites", "nse", "kge"]
    assert lines["all"] == ["all", "all", "61", "0.6123", ""]
    assert page.count("| region | GB | 20 | 0.5 |") == 2
    assert "### Streamflow: inputs precipitation and temperature" in page
    assert "0.25, 0.5, 0.75 | 30 | 30 held-out sites" in page
    assert "- warming dries: +0.1 (direction)" in page
    assert "3 places in 2 cells of one degree" in page
    assert "(flow-v2-places.png)" in page
    assert "2 sites were left out" in page
    assert lines["rivers.nc"][1] == "CC-BY-4.0"
    assert lines["seeds"][1] == "2"
    assert "python -m benchmarks.weights publish --only flow-v2" in page
    assert UNKNOWN not in page


def test_a_picture_shows_the_places(generate: ModuleType, published: Weights) -> None:
    """The same bytes each time; none where the card does not say."""
    picture = generate.places_picture(published)
    assert picture.startswith(b"\x89PNG")
    assert picture == generate.places_picture(published)
    assert generate.places_picture(tiny_weights()) is None
    entry = {"form": "base", "version": "v1", "size": 1, "bundled": False}
    page = generate.weights_page(tiny_weights(), {**entry, "description": "tiny"})
    assert page.count(UNKNOWN) == 4  # skill, places, data, command
    assert ".png" not in page


def test_the_picture_lies_beside_its_page(
    generate: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is written for each file that records its places."""
    monkeypatch.setattr(generate, "places_picture", lambda weights: b"picture")
    for path in generate.write(tmp_path):
        if path.parent.name == "weights":
            picture = path.with_name(f"{path.stem}-places.png")
            assert picture.read_bytes() == b"picture"
