"""Pages made from the catalogue and the cards say all that is in them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import xstefaland
from xstefaland.inputs.variables import CATALOGUE

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """The module, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
        _, what, units, span, standard, aliases = table[name]
        assert (what, units) == (variable.long_name, variable.units)
        assert span == "{:g} to {:g}".format(*variable.valid_range)
        assert all(f"`{each}`" in aliases for each in variable.aliases)
        assert all(f"`{each}`" in standard for each in variable.standard_names)
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
        if path.stem == "variables":
            continue
        weights = xstefaland.weights.load(path.stem)
        page = path.read_text(encoding="utf-8")
        lines = rows(page)
        wanted = [*weights.card.forcing, *weights.card.attributes]
        assert {spec.name for spec in wanted} <= lines.keys()
        assert {target.name for target in weights.card.targets} <= lines.keys()
        assert weights.sha256 in page
        assert all(source["name"] in page for source in weights.card.training["data"])
