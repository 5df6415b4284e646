"""A release names one version everywhere, its bounds are alike, and it predicts."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"
CONDA_NAMES = {"torch": "pytorch", "dask": "dask-core"}


def loaded(name: str) -> ModuleType:
    """A script of packaging/, which is no part of the package."""
    spec = importlib.util.spec_from_file_location(name, PACKAGING / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A repository as it is when 1.2.0 is built."""
    changes = "# Changelog\n\n## Unreleased\n\n## 1.2.0 - 2027-01-31\n\n- Faster.\n"
    changes += "\n## 1.1.0 - 2027-01-01\n\n- A.\n"
    (tmp_path / "CHANGELOG.md").write_text(changes)
    (tmp_path / "CITATION.cff").write_text("title: x\nversion: 1.2.0\nlicense: x\n")
    (tmp_path / "dist").mkdir()
    for name in ("xstefaland-1.2.0.tar.gz", "xstefaland-1.2.0-py3-none-any.whl"):
        (tmp_path / "dist" / name).touch()
    return tmp_path


def test_a_release_that_agrees_with_itself(released: Path) -> None:
    """Nothing is wrong, and the notes are those of this release alone."""
    check = loaded("check_release")
    assert check.problems("1.2.0", released) == []
    text = (released / "CHANGELOG.md").read_text()
    assert check.notes_of("1.2.0", text) == "- Faster."


def test_a_tag_that_nothing_else_names(released: Path) -> None:
    """Every file that says another version is named at once."""
    found = loaded("check_release").problems("1.3.0", released)
    assert [each.split(":")[0].split(" ")[0] for each in found] == [
        "CHANGELOG.md",
        "CITATION.cff",
        "dist/xstefaland-1.3.0.tar.gz",
        "dist/xstefaland-1.3.0-py3-none-any.whl",
    ]


def test_the_recipe_has_our_bounds() -> None:
    """The conda recipe requires what pyproject.toml does, Python and builder too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    recipe = yaml.safe_load((PACKAGING / "conda" / "recipe.yaml").read_text())
    python = f">={recipe['context']['python_min']}"
    assert python == project["project"]["requires-python"]
    run = dict(map(str.split, recipe["requirements"]["run"][1:]))
    wanted = {}
    for line in project["project"]["dependencies"]:
        each = Requirement(line)
        name = canonicalize_name(each.name)
        wanted[CONDA_NAMES.get(name, name)] = str(each.specifier)
    assert {canonicalize_name(name): bound for name, bound in run.items()} == wanted
    host = {line.replace(" ", "") for line in recipe["requirements"]["host"]}
    assert set(project["build-system"]["requires"]) <= host


def test_the_first_call_works() -> None:
    """What CI runs on every install runs here."""
    done = subprocess.run(
        [sys.executable, PACKAGING / "first_call.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "smallest: predicted ('site', 'time')" in done.stdout
