"""The house: what an import costs, which way imports point, files kept in step."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import xstefaland

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "xstefaland"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = (
    "torch",
    "distributed",
    "zarr",
    "geopandas",
    "numba",
    "sklearn",
    "matplotlib",
    "pint",
)
# Rooms from top to bottom, as in the architecture: a room imports only from below.
ARROWS = {
    "model": {"errors", "model"},
    "datasets": {"errors", "inputs", "datasets"},
    "geometry": {"errors", "options", "geometry", "inputs"},
    "inputs": {"errors", "options", "inputs", "geometry"},
    "weights": {"errors", "options", "inputs", "model", "weights"},
    "inference": {
        "bars",
        "errors",
        "options",
        "geometry",
        "inputs",
        "model",
        "weights",
        "inference",
    },
    "store": {"bars", "errors", "options", "inference", "inputs", "weights", "store"},
    "metrics": {"errors", "inputs", "metrics"},
    "splits": {"errors", "geometry", "splits"},
    "errors.py": set(),
    "bars.py": set(),
    "options.py": {"errors"},
}
CONDA_NAMES = {"torch": "pytorch"}  # canonical PyPI name -> conda-forge name


def _python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_light():
    """``import xstefaland`` leaves everything heavy for the first use."""
    code = "import json, sys, xstefaland; print(json.dumps(list(sys.modules)))"
    loaded = set(json.loads(_python(code)))
    assert not loaded & set(HEAVY)
    assert not {name for name in loaded if name.startswith("xstefaland.training")}


def test_import_of_the_readers_is_light():
    """``xstefaland.datasets`` loads file formats only when a file is read."""
    code = "import json, sys, xstefaland.datasets; print(json.dumps(list(sys.modules)))"
    loaded = set(json.loads(_python(code)))
    assert "xstefaland.datasets.caravan" in loaded
    assert not loaded & {*HEAVY, "netCDF4", "pyproj", "rasterio"}


def test_import_costs_little_beyond_xarray():
    """At most 0.3 s on top of xarray; best of three, for other jobs disturb it."""
    code = (
        "import time, xarray; start = time.perf_counter(); import xstefaland; "
        "print(time.perf_counter() - start)"
    )
    assert min(float(_python(code)) for _ in range(3)) <= 0.3


def test_every_public_name_resolves():
    """All of ``__all__`` exists, is listed by dir() and has a docstring."""
    for name in xstefaland.__all__:
        assert name in dir(xstefaland)
        assert getattr(xstefaland, name).__doc__


def test_unknown_name_is_an_attribute_error():
    """Lazy names must not turn a typing error into something else."""
    with pytest.raises(AttributeError, match="no attribute 'predikt'"):
        _ = xstefaland.predikt


def test_versions_lists_every_requirement():
    """A bug report shows Python, the package and each run-time dependency."""
    output = _python("import xstefaland; xstefaland.show_versions()")
    versions = dict(line.split(maxsplit=1) for line in output.splitlines())
    assert "cuda" in versions
    assert xstefaland.weights.resolve_encoder().name in output.splitlines()[-1]
    assert versions["xstefaland"] == xstefaland.__version__
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    for line in PROJECT["project"]["dependencies"]:
        assert versions[Requirement(line).name] != "not installed"


def _imports(path: Path) -> Iterator[str]:
    """Absolute names that a file imports, wherever in it, but for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _files(room: str) -> list[Path]:
    path = PACKAGE / room
    return [path] if path.suffix else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("room", ARROWS)
def test_arrows_point_down(room):
    """Each room imports only from the rooms below it."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _files(room)
        for name in _imports(path)
        if name.startswith("xstefaland.") and name.split(".")[1] not in ARROWS[room]
    ]
    assert not wrong


def test_readers_know_the_catalogue_alone():
    """Of inputs, datasets takes the table of variables and no machinery."""
    names = {name for path in _files("datasets") for name in _imports(path)}
    used = {name for name in names if name.startswith("xstefaland.inputs")}
    assert used == {"xstefaland.inputs.variables.CATALOGUE"}


def test_library_loads_without_training():
    """With every other module imported, training is still not loaded."""
    left_out = {"training"} if find_spec("triton") else {"training", "gpu"}
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted(PACKAGE.rglob("*.py"))
        if not left_out & set(path.parts) and path.stem not in {"__init__", "cli"}
    ]
    code = f"import sys; [__import__(n) for n in {names}]; print(*sys.modules)"
    loaded = _python(code).split()
    assert set(names) <= set(loaded)
    assert not [name for name in loaded if name.startswith("xstefaland.training")]


def test_nobody_imports_training():
    """Training stands beside the library; only the command line may reach it."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if "training" not in path.parts and path.name not in {"cli.py", "__init__.py"}
        for name in _imports(path)
        if name.startswith("xstefaland.training")
    ]
    assert not wrong


def test_model_knows_no_labels_and_no_files():
    """No file under model/ even mentions xarray, dask, pooch or pandas."""
    files = _files("model")
    words = re.compile(r"\b(xarray|dask|pooch|pandas)\b")
    assert files
    wrong = [p.relative_to(ROOT) for p in files if words.search(p.read_text("utf-8"))]
    assert not wrong


def _undocumented(node: ast.AST, inside: bool = False) -> Iterator[str]:
    """Names of classes and functions below a node that lack a docstring.

    A nested function of up to three lines, a stub of an overload and a method that
    Python itself calls need none.
    """
    for child in ast.iter_child_nodes(node):
        function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        if function or isinstance(child, ast.ClassDef):
            short = inside and child.end_lineno - child.lineno < 3
            special = re.fullmatch("__.*__", child.name)
            stub = any(ast.unparse(each) == "overload" for each in child.decorator_list)
            if not (short or special or stub or ast.get_docstring(child)):
                yield child.name
        yield from _undocumented(child, inside or function)


def test_every_function_says_what_it_is_for():
    """Private ones too: at least the line that its name and signature do not say."""
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for name in _undocumented(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not missing


def test_typing_marker_ships():
    """``py.typed`` is in the package, so users get our types."""
    assert (PACKAGE / "py.typed").is_file()


def _requirements() -> Iterator[Requirement]:
    """Every dependency of pyproject.toml: required, extras, groups; not our own."""
    lines = list(PROJECT["project"]["dependencies"])
    for extra in PROJECT["project"]["optional-dependencies"].values():
        lines += extra
    for group in PROJECT["dependency-groups"].values():
        lines += [line for line in group if isinstance(line, str)]
    parsed = (Requirement(line) for line in lines)
    return (each for each in parsed if each.name != "xstefaland")


def test_environment_is_in_step():
    """environment.yml lists what pyproject.toml does, with the same bounds."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    (rest,) = (each for each in environment["dependencies"] if isinstance(each, dict))
    lines += [line for line in rest["pip"] if not line.startswith("-")]  # not on conda
    conda = {
        canonicalize_name(each.name): str(each.specifier)
        for each in map(Requirement, lines)
    }
    assert conda.pop("python") == PROJECT["project"]["requires-python"]
    conda.pop("pip")
    wanted = {}
    for each in _requirements():
        name = canonicalize_name(each.name)
        wanted[CONDA_NAMES.get(name, name)] = str(each.specifier)
    assert conda == wanted


def test_every_bound_is_a_lower_one():
    """No upper caps, and one bound for a name wherever it stands."""
    bounds: dict[str, set[str]] = {}
    for each in _requirements():
        bounds.setdefault(canonicalize_name(each.name), set()).add(str(each.specifier))
    assert {k: v for k, v in bounds.items() if len(v) > 1} == {}
    assert [k for k, v in bounds.items() if not next(iter(v)).startswith(">=")] == []


def test_constraints_name_every_dependency():
    """constraints.txt pins all we depend on, at or above our lower bounds."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {
        canonicalize_name(name): Version(version)
        for name, version in (x.split("==") for x in lines if not x.startswith("#"))
    }
    for each in _requirements():
        assert pins[canonicalize_name(each.name)] in each.specifier


def test_tests_run_on_the_versions_in_constraints():
    """Core libraries that run here are those that constraints.txt promises."""
    if sys.version_info[:2] != (3, 11):
        pytest.skip("constraints.txt is for Python 3.11")
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {canonicalize_name(x.split("==")[0]): x.split("==")[-1] for x in lines}
    for line in PROJECT["project"]["dependencies"]:
        name = canonicalize_name(Requirement(line).name)
        assert Version(metadata.version(name)).public == Version(pins[name]).public


def test_citation_is_of_the_newest_release():
    """CITATION.cff names the licence, and the changelog's newest release if any."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    changelog = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## (\d\S*) - \d{4}-\d\d-\d\d$", changelog, re.M)
    assert citation.get("version") == (releases[0] if releases else None)
    assert citation["license"] == PROJECT["project"]["license"]


def test_ci_runs_the_commands_of_the_readme():
    """The README's test commands are make targets, and .ci/run calls them."""
    readme = (ROOT / "README.md").read_text()
    script = (ROOT / ".ci" / "run").read_text()
    targets = re.findall(r"^(test[a-z-]*):", (ROOT / "Makefile").read_text(), re.M)
    assert "test" in targets
    assert "make test" in readme
    steps = re.search(r"for step in (.*); do", script)
    assert steps
    assert set(targets) <= set(steps[1].split())
