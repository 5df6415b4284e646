"""Runs: an answer for more sites than fit into memory, written region by region."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from xstefaland.errors import InputError
from xstefaland.inference.batches import BatchSize
from xstefaland.inference.blocks import Pool
from xstefaland.inference.chunks import suggest_chunks
from xstefaland.inference.gaps import MAX_GAP
from xstefaland.inference.labels import MissingBy
from xstefaland.inputs.examine import Examination
from xstefaland.inputs.hints import Climate, Latitude
from xstefaland.options import get_options
from xstefaland.store.claims import Coordinator
from xstefaland.store.folders import address, open_folder, refuse_file
from xstefaland.store.handing import (
    RegionWriter,
    check_in_flight,
    hand_out,
    is_unwritable,
)
from xstefaland.store.identity import data_identity, plain, weights_identity
from xstefaland.store.manifest import Manifest, refuse_difference
from xstefaland.store.packing import Packing, StoredAs, check_packing, fitted
from xstefaland.store.progress import Progress
from xstefaland.store.questions import (
    Question,
    Target,
    question,
    read_as,
    refuse_problems,
    sources,
)
from xstefaland.store.regions import Regions, refuse_chunks, region_steps
from xstefaland.store.report import RunReport
from xstefaland.store.sizes import announce, refuse_large, refuse_time_chunks
from xstefaland.store.source import ExaminedDataset
from xstefaland.store.template import Template, template, write_template
from xstefaland.store.writing import StoredVariable
from xstefaland.weights.opening import WeightsLike

REGION_MEMORY = "512 MiB"
"""What a region may take unless the input's chunks or `regions=` say otherwise."""

RANGE_SITES = 16
"""Sites whose embeddings give the range of packed bytes."""

DEFAULTS: dict[str, Any] = {
    "causal": False,
    "max_gap": MAX_GAP,
    "missing_by": "site",
    "add": False,
    "batch_size": "auto",
}
"""Keywords of :func:`run` whose default is not None."""

Names = Mapping[str, str] | None
Sizes = Mapping[str, int] | None


def run(
    ds: xr.Dataset,
    target: Target,
    store: str | os.PathLike[str],
    *,
    head: WeightsLike | None = None,
    weights: WeightsLike | None = None,
    quantiles: Sequence[float] | None = None,
    pool: Pool = None,
    rename: Names = None,
    units: Names = None,
    latitude: Latitude | None = None,
    climate: Climate | None = None,
    causal: bool = False,
    max_gap: int | None = MAX_GAP,
    missing_by: MissingBy = "site",
    add: bool = False,
    batch_size: BatchSize = "auto",
    device: str | None = None,
    precision: str | None = None,
    dtype: StoredAs = "float32",
    resume: bool = True,
    regions: Sizes = None,
    chunks: Sizes = None,
    shards: bool = False,
    allow_large: bool = False,
    in_flight: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> RunReport:
    """Answer for all sites and write the answer into a Zarr store, region by region.

    A run that was stopped, by whatever, continues with the same call. Several processes
    may make the same call on one folder and share the work. Where a dask.distributed
    client is open, its workers compute.

    Parameters
    ----------
    ds : xarray.Dataset
        As in :func:`predict`; whole in time, chunked or not along the sites.
    target : str or list of str
        As in :func:`predict`; or ``"embedding"``, or ``"reconstruction"``.
    store : str or path
        Folder, or address that fsspec knows (``"s3://bucket/flow.zarr"``), of a Zarr
        store of format 3. What is to be known of the run lies beside it, in
        ``<store>.run``.
    head, weights, quantiles, rename, units, latitude, climate, causal, max_gap
        As in :func:`predict`.
    missing_by, batch_size, device, precision
        As in :func:`predict`.
    pool
        As in :func:`embed`, for ``"embedding"``.
    add
        As in :func:`reconstruct`, for ``"reconstruction"``.
    dtype : {"float32", "float16", "int8"}
        How values are stored. ``"int8"`` is for embeddings: packed after CF, with
        `scale_factor`, which xarray undoes when it reads.
    resume : bool
        Continue what is there. False: start over, and lose it.
    regions : mapping, optional
        Sites of a region along each dim, such as ``{"lat": 32, "lon": 32}``. Default:
        the dask chunks of the input, joined while they fit into memory.
    chunks : mapping, optional
        Sizes of Zarr chunks; a region must be a multiple of them. Default: a region,
        cut along time at 32 MiB.
    shards : bool
        Put the chunks of a region into one shard: one file for each variable.
    allow_large : bool
        Write more than 100 GB.
    in_flight : int, optional
        Regions that are worked on at once. Default: 2 here, so that one is read while
        another is computed; with a client one for each thread and one for each worker.
    storage_options : mapping, optional
        For fsspec.
    progress : bool
        Show size, regions done, sites per second and time left.

    Returns
    -------
    RunReport
        What was done, ``.open()`` for the store. Not the Dataset itself: to be told
        that regions were skipped matters as much, and xarray's `to_zarr` returns a
        handle too.

    Raises
    ------
    InputError
        For everything that is wrong with the Dataset or the arguments, for a store
        that another run began (with the difference), and one that is too large.
    RunError
        When regions failed, after all others are written; it names them.

    See Also
    --------
    predict : The same, lazily.

    Examples
    --------
    >>> import tempfile
    >>> import xstefaland
    >>> from xstefaland.testing import example_grid, tiny_head, tiny_weights
    >>> grid, weights = example_grid(days=60), tiny_weights()
    >>> options = {"weights": weights, "head": tiny_head(weights), "progress": False}
    >>> path = f"{tempfile.mkdtemp()}/flow.zarr"
    >>> report = xstefaland.run(grid, "streamflow", path, regions={"lat": 1}, **options)
    >>> report.regions, report.complete
    (3, True)
    >>> report.open().streamflow.dims
    ('time', 'lat', 'lon')
    """
    given = {
        "head": head,
        "weights": weights,
        "quantiles": quantiles,
        "pool": pool,
        "rename": rename,
        "units": units,
        "latitude": latitude,
        "climate": climate,
        "causal": causal,
        "max_gap": max_gap,
        "missing_by": missing_by,
        "add": add,
        "batch_size": batch_size,
        "device": device,
        "precision": precision,
    }
    given = {n: v for n, v in given.items() if not _is_default(n, v)}
    check_packing(dtype, target)
    check_in_flight(in_flight)
    refuse_file(address(store))
    output = _Output(address(store), dtype, regions, chunks, shards, storage_options)
    begun = time.monotonic()
    run_ = _prepared(ds, question(target, given), output, allow_large)
    try:
        with Coordinator(run_.manifest.folder) as me:
            writer, nbytes = _writer(run_, _begin(run_, me, resume))
            bar = Progress(len(writer.regions), _count_done(run_, writer), progress)
            announce(bar, output.store, nbytes, writer.regions)
            return hand_out(writer, run_.manifest, me, bar, in_flight, begun)
    except OSError as error:
        if not is_unwritable(error):
            raise
        raise InputError(
            f"'{output.store}' cannot be written: {error}. Make room or allow it, or "
            "pass another path; what is done stays done."
        ) from error


def _is_default(name: str, value: object) -> bool:
    """Tell whether a keyword was left as it is; None is a `max_gap` of its own."""
    return bool(value == DEFAULTS[name]) if name in DEFAULTS else value is None


@dataclass(frozen=True)
class _Output:
    """Where the answer goes, and how the user wants it there."""

    store: str
    dtype: StoredAs
    regions: Sizes
    chunks: Sizes
    shards: bool
    storage_options: Mapping[str, Any] | None


@dataclass(frozen=True)
class _Run:
    """A run that has been looked at and not begun."""

    ds: xr.Dataset
    asked: Question
    found: list[Examination]
    output: _Output
    identity: dict[str, Any]
    regions: Regions
    made: Template
    manifest: Manifest


@dataclass(frozen=True)
class _Plan:
    """What all coordinators of a run hold to, as the first one wrote it down."""

    run: str
    steps: tuple[int, ...]
    variables: tuple[str, ...]
    packing: Packing
    nbytes: int


def _prepared(
    ds: xr.Dataset, asked: Question, output: _Output, allow_large: bool
) -> _Run:
    """Look at everything that can be wrong before a file is written."""
    opened, requirements = asked.weights()
    found = asked.examine(ds, requirements)
    used, dims = sources(found), found[0].site_dims
    seen = found[0].ds  # with the climate that was passed
    suggested = _suggested(ds, asked, dims)
    refuse_time_chunks(seen, used, suggested)
    refuse_problems(found)
    steps = region_steps(ds, dims, output.regions, suggested)
    one = asked.answer(ds, {dim: slice(1) for dim in dims})
    made = template(ds, one, dims)
    lengths = {str(dim): length for dim, length in made.ds.sizes.items()}
    refuse_chunks(output.chunks, steps, lengths)
    refuse_large(made, output.dtype, asked, allow_large=allow_large)
    identity = {
        "target": plain(asked.target),
        "options": _options(asked),
        "weights": weights_identity(opened),
        "data": data_identity(seen, read_as(found), dims, found[0].latitudes()),
        "dtype": output.dtype,
    }
    sizes = tuple(ds.sizes[dim] for dim in dims)
    regions = Regions(dims, sizes, tuple(steps[dim] for dim in dims))
    manifest = Manifest(open_folder(f"{output.store}.run", output.storage_options))
    return _Run(ds, asked, found, output, identity, regions, made, manifest)


def _options(asked: Question) -> dict[str, Any]:
    """Options that change values; batch size and device do not."""
    aside = {"weights", "head", "batch_size", "device"}
    kept = {n: plain(v) for n, v in asked.options.items() if n not in aside}
    in_force = get_options()
    kept.setdefault("precision", in_force["precision"])
    return {**kept, "out_of_range": in_force["out_of_range"]}


def _suggested(
    ds: xr.Dataset, asked: Question, dims: tuple[str, ...]
) -> dict[str, int]:
    """Sites of a region that fit into memory; all where there is no record."""
    if not dims or "time" not in ds.dims:
        return {dim: ds.sizes[dim] for dim in dims}
    weights, device = (asked.options.get(name) for name in ("weights", "device"))
    device = device or get_options()["device"]
    sizes = suggest_chunks(ds, REGION_MEMORY, device, weights=weights)
    return {dim: sizes[dim] for dim in dims}


def _begin(run_: _Run, me: Coordinator, resume: bool) -> _Plan:
    """Write plan and template, or wait for who does; refuse another run's store."""
    manifest, store = run_.manifest, run_.output.store
    over = not resume
    while over or not _usable(run_):
        if not me.claim("template"):
            time.sleep(0.1)
            continue
        try:
            if over or not _usable(run_):
                _refuse_foreign(run_, me, over)
                _write(run_)
                over = False
        finally:
            me.release("template")
    plan = manifest.plan() or {}
    refuse_difference(store, plan["identity"], run_.identity)
    layout, wanted = plan["layout"], _layout(run_)
    free = {"regions"} if run_.output.regions is None else set()
    free |= {"chunks"} if run_.output.chunks is None else set()
    kept = {name: value for name, value in wanted.items() if name not in free}
    refuse_difference(store, {n: layout[n] for n in kept}, kept)
    steps = tuple(layout["regions"][dim] for dim in run_.regions.dims)
    packing = Packing(**plan["packing"])
    return _Plan(plan["run"], steps, tuple(plan["variables"]), packing, plan["bytes"])


def _writer(run_: _Run, plan: _Plan) -> tuple[RegionWriter, int]:
    """Say how a region of this run is written; and how much all of them are [bytes]."""
    store, options = run_.output.store, dict(run_.output.storage_options or {})
    variables = tuple(
        StoredVariable(
            store=store,
            name=name,
            dims=tuple(map(str, run_.made.ds.variables[name].dims)),
            packing=plan.packing if name in run_.made.data else Packing(),
            storage_options=tuple(options.items()),
            run=plan.run,
        )
        for name in plan.variables
    )
    regions = Regions(run_.regions.dims, run_.regions.sizes, plan.steps)
    source = ExaminedDataset.of(run_.found, run_.asked.asks())
    writer = RegionWriter(source, regions, store, options, variables)
    return writer, plan.nbytes


def _count_done(run_: _Run, writer: RegionWriter) -> int:
    """Regions that are there; a finished run has no list of them any more."""
    finished = run_.manifest.finished
    return len(writer.regions) if finished else len(run_.manifest.done())


def _usable(run_: _Run) -> bool:
    """Tell whether the store has its template; who deleted it starts anew."""
    store = open_folder(run_.output.store, run_.output.storage_options)
    return run_.manifest.ready and store.read("zarr.json") is not None


def _refuse_foreign(run_: _Run, me: Coordinator, over: bool) -> None:
    """Refuse to replace what no run wrote, or what others write at this moment."""
    store, others = run_.output.store, me.others()
    if over and others:
        raise InputError(
            f"'{store}' cannot be started over: {', '.join(others)} still write to it. "
            "Stop them first, or join them: resume=True."
        )
    there = open_folder(store, run_.output.storage_options).names()
    if there and run_.manifest.plan() is None:
        raise InputError(
            f"'{store}' exists, and no run of xstefaland wrote it (there is no "
            f"'{store}.run'). Choose another path, or remove it."
        )


def _write(run_: _Run) -> None:
    """Write plan, then template: a store without a plan is never taken for ours."""
    output = run_.output
    packing = fitted(output.dtype, _range_sample(run_))
    run_.manifest.restart(
        {
            "run": uuid.uuid4().hex,
            "begun": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": version("xstefaland"),
            "identity": run_.identity,
            "layout": _layout(run_),
            "variables": list(run_.made.by_region),
            "packing": asdict(packing),
            "bytes": run_.made.nbytes,
        }
    )
    write_template(
        run_.made,
        output.store,
        dict(zip(run_.regions.dims, run_.regions.steps, strict=True)),
        packing,
        chunks=output.chunks,
        shards=output.shards,
        storage_options=output.storage_options,
    )
    run_.manifest.set_ready()


def _layout(run_: _Run) -> dict[str, Any]:
    """How the store is cut; a later call that says otherwise is refused."""
    steps = dict(zip(run_.regions.dims, run_.regions.steps, strict=True))
    output = run_.output
    return {
        "regions": steps,
        "chunks": dict(output.chunks or {}),
        "shards": output.shards,
    }


def _range_sample(run_: _Run) -> Any:
    """Embed a few sites to learn the range of values, where bytes are wanted."""
    if run_.output.dtype != "int8":
        return None
    sizes = run_.regions.sizes
    count = int(np.prod(sizes, dtype=int))
    values = []
    for flat in np.unique(np.linspace(0, count - 1, RANGE_SITES).astype(int)):
        cell = np.unravel_index(flat, sizes) if sizes else ()
        where = {d: [int(i)] for d, i in zip(run_.regions.dims, cell, strict=True)}
        answer = run_.asked.answer(run_.ds, where)
        values.append(np.ravel(answer["embedding"].values))
    return np.concatenate(values)
