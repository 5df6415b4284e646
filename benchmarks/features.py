"""What users of the peers have or ask for, tried one by one: ``results/features.md``.

Every line of :data:`ROWS` is run; it is ticked when its last expression is true. The
numbers are those of the project's list of features, whose rows of the first (P0) and
second (P1) priority are here. ``python benchmarks/features.py``; ``--rows 1 10`` runs
some and writes nothing.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "benchmarks" / "results" / "features.md"

SETUP = """
import numpy as np, xarray as xr, xstefaland
from xstefaland.testing import example_points, example_grid, tiny_weights, tiny_head
ds = example_points(sites=3, days=800)
grid = example_grid(rows=2, columns=2, days=400)
flow = ds.stefaland.predict("streamflow")
"""


class Row(NamedTuple):
    """One feature: its number, what it is, code that is true where it works, a remark."""

    number: int
    feature: str
    code: str
    remark: str = ""


class Tests(str):
    """Tests that show a feature, where a line cannot: arguments of pytest."""


ROWS = (
    Row(1, "one-line accessor", 'ds.stefaland.predict("streamflow").equals(xstefaland.predict(ds, "streamflow"))'),
    Row(2, "lazy by default", 'np.allclose(ds.chunk(site=1, time=-1).stefaland.predict("streamflow").compute(), flow, atol=1e-4)'),
    Row(3, "building a graph runs no model", Tests("tests/inference/test_lazy.py -k build")),
    Row(4, "chunk advice", 'grid.chunk().stefaland.suggest_chunks("64 MiB")["time"] == -1'),
    Row(5, "batch inside a chunk", 'np.allclose(ds.stefaland.predict("streamflow", batch_size=1), flow, atol=1e-4)'),
    Row(6, "model once per process, its name in the graph", "import pickle; len(pickle.dumps(ds.chunk(site=1, time=-1).stefaland.embed(pool='mean').data.dask)) < 3e6"),
    Row(7, "GPU placement", Tests("tests/inference/test_loaded.py"), "choice of the device; more than one GPU was not at hand"),
    Row(8, "embeddings as DataArray", 'ds.stefaland.embed(pool="mean").dims == ("site", "embedding")'),
    Row(9, "answers on the input's coordinates", 'all(flow[n].drop_vars("fraction_missing", errors="ignore").identical(ds[n]) for n in ds.coords)'),
    Row(10, "variables found by name, alias, standard name", 'ds.rename(precipitation="pr").stefaland.check("streamflow").ok and ds.rename(precipitation="odd").stefaland.check("streamflow", rename={"odd": "precipitation"}).ok'),
    Row(11, "units checked and converted, never guessed", 'k = ds.assign(temperature=(ds.temperature + 273.15).assign_attrs(units="K")); np.allclose(k.stefaland.predict("streamflow"), flow, atol=1e-3) and not ds.assign(precipitation=ds.precipitation.drop_attrs()).stefaland.check("streamflow").ok'),
    Row(12, "plausibility ranges", 'bool(ds.assign(temperature=(ds.temperature + 273.15).assign_attrs(units="degC")).stefaland.check().warnings or not ds.assign(temperature=(ds.temperature + 273.15).assign_attrs(units="degC")).stefaland.check("streamflow").ok)'),
    Row(13, "scaling inside the model", 'float(flow.max()) < 200 and flow.units == "mm d-1"'),
    Row(14, "missing forcing and attributes", 'sparse = ds[["precipitation", "temperature"]].stefaland.predict("streamflow"); bool(np.isfinite(sparse).all()) and float(sparse.fraction_missing.max()) > 0.5', "a token in the encoder instead of `missing=`"),
    Row(15, "predict without targets", '"streamflow" not in ds and bool(np.isfinite(flow).all())'),
    Row(16, "time axis checks", 'not ds.isel(time=[1, 0, 2]).stefaland.check("streamflow").ok and not ds.convert_calendar("noleap").stefaland.check("streamflow").ok'),
    Row(17, "CRS survives", 'import rioxarray; g = grid.rio.write_crs("EPSG:4326"); g.stefaland.predict("soil_moisture").rio.crs == g.rio.crs'),
    Row(18, "longitudes and latitudes in any order", 'np.allclose(grid.isel(lat=slice(None, None, -1)).stefaland.predict("soil_moisture").sel(lat=grid.lat), grid.stefaland.predict("soil_moisture"), atol=1e-4)'),
    Row(19, "points under any name of their dim", 'ds.rename(site="gauge").stefaland.predict("streamflow").dims == ("gauge", "time")'),
    Row(20, "basins as geometry (xvec)", Tests("tests/geometry/test_survival.py -k xvec")),
    Row(21, "gridded forcing to basins", 'import geopandas, shapely; means = xstefaland.geometry.basin_means(grid, geopandas.GeoDataFrame(geometry=[shapely.box(*[float(f(grid[n])) for f in (np.min, np.max) for n in ("lon", "lat")])], crs=4326)); bool(np.isfinite(means.precipitation).all())'),
    Row(22, "masked cells are skipped", 'sea = grid.where((grid.lat > grid.lat.min()) | (grid.lon > grid.lon.min())); out = sea.stefaland.predict("soil_moisture"); int(out.isnull().all("time").sum()) == 1'),
    Row(24, "resumable continental run", 'xstefaland.run(grid, "soil_moisture", folder + "/s.zarr", progress=False); "0 written" in str(xstefaland.run(grid, "soil_moisture", folder + "/s.zarr", progress=False))'),
    Row(25, "safe parallel writes", Tests("tests/store/test_claims.py")),
    Row(27, "streaming input", Tests("tests/inference/test_chunks.py"), "peaks of memory: `make benchmark-scale`, `docs/lazy.md`"),
    Row(28, "progress", Tests("tests/inference/test_progress.py")),
    Row(29, "table of weights", '{"name", "version", "targets", "inputs", "size", "licence", "doi"} <= set(xstefaland.weights.list().columns)'),
    Row(30, "full hash and version pin", 'len(flow.attrs.get("weights_sha256", xstefaland.weights.load("stefaland-base-v1").sha256)) == 64'),
    Row(31, "cache folder by environment variable", 'import os; from xstefaland.weights.cache import cache_dir; os.environ["XSTEFALAND_CACHE"] = folder; str(cache_dir()).startswith(folder)'),
    Row(32, "offline, air-gapped", Tests("tests/weights/test_cache.py -k offline"), "fetch all: `xstefaland weights fetch`"),
    Row(33, "own checkpoint", 'own = tiny_weights(folder + "/own.safetensors"); ds.stefaland.embed(weights=folder + "/own.safetensors", pool="mean").sizes["site"] == 3'),
    Row(34, "safe files", Tests("tests/weights/test_damage.py -k pickle or tests/weights/test_original.py"), "safetensors and JSON; `weights_only=True` in conversion"),
    Row(35, "provenance", '{"units", "source", "history"} <= set(ds.stefaland.predict(["streamflow"]).attrs) | set(flow.attrs)'),
    Row(36, "standard output metadata", 'sm = ds.stefaland.predict("soil_moisture"); sm.units == "m3 m-3" and sm.cell_methods == "time: mean"'),
    Row(37, "scikit-learn transformer", 'from sklearn.pipeline import make_pipeline; from sklearn.decomposition import PCA; from xstefaland.sklearn import StefaLandEmbedder; make_pipeline(StefaLandEmbedder(), PCA(2)).fit_transform(ds).shape == (3, 2)'),
    Row(38, "labelled predictions from any estimator", 'from sklearn.linear_model import Ridge; from xstefaland.sklearn import predict_labelled; e = ds.stefaland.embed(pool="mean"); predict_labelled(Ridge().fit(e.stefaland.to_frame(), [1, 2, 3]), e).dims == ("site",)'),
    Row(39, "heads fitted by users", Tests("tests/training/test_finetuning.py -k predict"), "`training.finetune`; a linear head is `head=\"linear\"`"),
    Row(40, "uncertainty", Tests("tests/training/test_conformal.py -k quantile"), "the heads that ship have no quantiles: `fit_band` and `combine`, or a quantile head"),
    Row(42, "reconstruction, gap filling", 'gappy = ds.assign(temperature=ds.temperature.where(ds.time.dt.month != 7)); int(gappy.stefaland.reconstruct().temperature.isnull().sum()) == 0'),
    Row(44, "command line", 'from xstefaland.cli import main; ds.to_netcdf(folder + "/i.nc"); main(["check", folder + "/i.nc", "--target", "streamflow"]) == 0'),
    Row(45, "repr in Jupyter", '"<table" in ds.stefaland._repr_html_()'),
    Row(46, "options", 'with xstefaland.set_options(validation="warn"): pass\nTrue'),
    Row(47, "validation report, all problems at once", 'len(ds.rename(precipitation="a", temperature="b").drop_vars("shortwave_radiation").stefaland.check("streamflow").problems) >= 1'),
    Row(48, "typed functions", 'import pathlib; pathlib.Path(xstefaland.__file__).with_name("py.typed").exists()', "completion of an accessor is not possible in xarray yet"),
    Row(49, "cheap import", Tests("tests/test_house.py -k light")),
    Row(51, "precision and determinism", 'bool((ds.stefaland.predict("streamflow") == flow).all()) and np.allclose(ds.stefaland.predict("streamflow", precision="bfloat16"), flow, rtol=0.2, atol=0.2)'),
    Row(52, "torch.compile", "False", "not yet: neither offered nor measured"),
    Row(54, "training apart", Tests("tests/test_house.py -k training")),
    Row(55, "tiny model and synthetic data", 'ds.stefaland.embed(weights=tiny_weights(), pool="mean").sizes["site"] == 3'),
    Row(56, "golden numbers of the original", Tests("tests/model/test_known_encoder.py tests/model/test_known_heads.py")),
    Row(57, "docs that run", 'import pathlib; "code-cell" in pathlib.Path(root, "docs", "quickstart.md").read_text()', "`make docs` runs the pages"),
    Row(58, "benchmarks of speed", 'import pathlib; pathlib.Path(root, "benchmarks", "results", "predict.md").exists()', "on a CPU; for GPUs not yet"),
    Row(60, "show_versions", 'from xstefaland.versions import versions, devices, cached_weights; "cuda" in devices() and "stefaland-base-v1" in cached_weights()'),
)  # fmt: skip


def run_code(code: str, names: dict[str, Any]) -> bool:
    """Run statements, and say whether the last expression is true."""
    tree = ast.parse(code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, "features", "exec"), names)
    return bool(eval(compile(ast.Expression(last.value), "features", "eval"), names))


def run_tests(arguments: str) -> bool:
    """Run tests; some must be there and all pass."""
    command = [sys.executable, "-m", "pytest", "-q", *split(arguments)]
    marks = ["-m", "not slow and not network", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *marks], cwd=ROOT, capture_output=True, text=True, check=False
    )
    sys.stdout.write("\n".join(done.stdout.splitlines()[-3:]) + "\n")
    return done.returncode == 0


def split(arguments: str) -> list[str]:
    """Arguments of pytest; what follows ``-k`` is one."""
    files, _, words = arguments.partition(" -k ")
    return files.split() + (["-k", words] if words else [])


def tried(row: Row, names: dict[str, Any]) -> str:
    """Run one row: a tick, or what went wrong."""
    try:
        works = (run_tests if isinstance(row.code, Tests) else _one(names))(row.code)
    except Exception as error:  # the table shows it
        return f"no: {type(error).__name__}: {str(error).splitlines()[0]}"
    return "yes" if works else "no"


def _one(names: dict[str, Any]) -> Any:
    return lambda code: run_code(code, names)


def line_of(row: Row, result: str) -> str:
    """One line of the table."""
    shown = f"pytest {row.code}" if isinstance(row.code, Tests) else row.code
    shown = "; ".join(shown.splitlines()).replace("|", "\\|")
    command = "" if row.code == "False" else f"`{shown}`"
    return f"| {row.number} | {row.feature} | {result} | {command} | {row.remark} |"


def text(results: dict[Row, str], seconds: float) -> str:
    """The page."""
    import torch

    import xstefaland

    count = sum(result == "yes" for result in results.values())
    head = f"""# Features, tried one by one

{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `python benchmarks/features.py`, {seconds:.0f} s,
Python {platform.python_version()}, torch {torch.__version__}, xstefaland
{xstefaland.__version__}. {count} of {len(results)} rows of the first two priorities work.

Every command was run after these lines (`folder` is an empty folder, `root` that of the
repository); "yes" means that its last expression was true, or that its tests passed.

```python{SETUP}```

| # | feature | works | command | remark |
| --- | --- | --- | --- | --- |
"""
    return head + "\n".join(line_of(*each) for each in results.items()) + "\n"


def main() -> int:
    """Try all rows, or those that are named; returns how many did not work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", help="numbers; default: all")
    wanted = parser.parse_args().rows
    began, results = time.perf_counter(), {}
    with tempfile.TemporaryDirectory() as folder:
        names: dict[str, Any] = {"folder": folder, "root": str(ROOT)}
        before = dict(os.environ)
        exec(SETUP, names)
        for row in ROWS:
            if wanted is None or row.number in wanted:
                results[row] = tried(row, names)
                print(row.number, row.feature, "->", results[row], flush=True)
                os.environ.clear()
                os.environ.update(before)
    if wanted is None:
        OUT.write_text(text(results, time.perf_counter() - began), encoding="utf-8")
    return sum(result != "yes" for result in results.values())


if __name__ == "__main__":
    sys.exit(main())
