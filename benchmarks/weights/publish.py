"""Publish what has won: encoder, ensembles with bands, cards with evidence.

A product's members are the seeds of some systems. They are combined into one file,
which is asked through :func:`xstefaland.predict` at the held-out places, as a user
would: its bands are fitted on these places, and measured at each fifth of them when
fitted on the others; its skill and its failures go into the card. With ``--bundle``
files enter the package and the registry, and the first release's leave it; otherwise
they lie in ``PROOF/weights``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import xstefaland
from xstefaland.model import HeadConfig, build_head
from xstefaland.model.physics import FLUXES
from xstefaland.training import publishing
from xstefaland.training.conformal import (
    INTERVALS,
    LEVELS,
    coverage,
    fit_band,
    sites_needed,
)
from xstefaland.training.groups import skill_table
from xstefaland.training.tasks import Task
from xstefaland.weights import registry
from xstefaland.weights.card import CAUSAL, TWO_WAY
from xstefaland.weights.combining import combine
from xstefaland.weights.evidence import Places
from xstefaland.weights.files import Weights
from xstefaland.weights.members import Band

from .asking import Asked, ask, joined, scored
from .heads import Runs, described
from .jobs import NONE, SEEDS, Job
from .scores import deciding
from .splits import roles
from .systems import SYSTEMS

ENCODER, VERSION = "stefaland-base-v2", "v2"
LARGEST = 24e6  # bytes of all that ships
BEHAVIOUR = Path(__file__).parents[1] / "behaviour.py"
GROUPED = ("region", "aridity", "snow")
_FLOWS = tuple(name for name in FLUXES if name != "streamflow")


@dataclass(frozen=True)
class Product:
    """A weights file that ships.

    Attributes
    ----------
    name, form, description : str
        For the table of weights.
    target : str
        What its members were trained on.
    systems : tuple of str
        Each with all its seeds.
    default_for : tuple of str
        Targets that it answers unless another head is named.
    reading : str
        How it is asked, and the one way that its card allows.
    """

    name: str
    form: str
    description: str
    target: str
    systems: tuple[str, ...]
    default_for: tuple[str, ...]
    reading: str = TWO_WAY

    def jobs(self, encoder: str) -> list[Job]:
        """Return the jobs of its members."""
        return [
            Job(self.target, "random", system, encoder if reads else NONE, seed)
            for system in self.systems
            for reads in [system.startswith("resconn")]
            for seed in SEEDS
        ]


PRODUCTS = (
    Product(
        "streamflow-v2",
        "ensemble",
        "Daily streamflow: two kinds of heads on the encoder, three seeds each",
        "streamflow",
        ("resconn", "lstm"),
        ("streamflow",),
    ),
    Product(
        "streamflow-causal-v2",
        "causal",
        "Daily streamflow from days up to the present alone, three seeds",
        "streamflow",
        ("lstm",),
        ("streamflow",),
        CAUSAL,
    ),
    Product(
        "streamflow-hbv-v2",
        "resconn-hbv",
        "Water balance by HBV 1.1 with learned parameters, three seeds",
        "streamflow",
        ("resconn-hbv",),
        _FLOWS,
    ),
    Product(
        "soil-moisture-v2",
        "anomaly",
        "Daily soil moisture at 5 cm: a level and anomalies, three seeds",
        "soil_moisture",
        ("level-anomaly",),
        ("soil_moisture",),
    ),
    *(
        Product(
            f"soil-moisture-{depth}cm-v2",
            "anomaly",
            f"Daily soil moisture at {depth} cm: a level and anomalies, three seeds",
            f"soil_moisture_{depth}cm",
            ("level-anomaly",),
            (f"soil_moisture_{depth}cm",),
        )
        for depth in (10, 20, 50, 100)
    ),
    Product(
        "soil-temperature-v2",
        "lstm",
        "Daily soil temperature at 5 cm, three seeds",
        "soil_temperature",
        ("lstm",),
        ("soil_temperature",),
    ),
)
"""What ships: to be set by the tables. Snow water equivalent is HBV's until a head of
its own is better where there are no Swiss stations."""


def publish(runs: Runs, only: str = "", *, bundle: bool = False) -> None:
    """Publish the encoder and all products whose members are trained.

    Parameters
    ----------
    runs : Runs
        With the jobs of all members done.
    only : str
        Words that a product's name must hold.
    bundle : bool
        Put the files into the package and the table of weights.
    """
    folder = registry.BUNDLED if bundle else runs.folder / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    encoder = publish_encoder(runs, folder)
    for product in PRODUCTS:
        if only in product.name:
            _published(runs, product, encoder, folder)
    if bundle:
        _replace_first_release()
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    print(f"{size / 1e6:.1f} MB in {folder}")
    if size > LARGEST:
        raise SystemExit(f"that is more than {LARGEST / 1e6:.0f} MB: leave members out")


def publish_encoder(runs: Runs, folder: Path) -> Weights:
    """Write the encoder that was proved, with the same tensors, under its own name."""
    proven = runs.encoder(runs.proved[0])
    metrics = looked(proven.path.with_suffix(".jsonl"))
    card = replace(
        proven.card, name=ENCODER, command=command("encoder"), metrics=metrics
    )
    model: Any = proven.model()
    return publishing.publish(
        model,
        card,
        form="base",
        version=VERSION,
        description="Foundation model, pretrained on the weather, attributes and "
        "memory of eleven archives",
        folder=folder,
    )


def looked(log: Path) -> dict[str, Any]:
    """Read what the last look at held-out places has found, two-way and causally."""
    lines = log.read_text().splitlines() if log.exists() else []
    looks = [found for line in lines if (found := json.loads(line).get("held_out"))]
    if not looks:
        return {}
    rows = []
    for name in looks[-1][TWO_WAY]:
        seen, _, what = name.partition("_")
        scores = {k: round(scores[name], 3) for k, scores in looks[-1].items()}
        rows.append({"score": SEEN[seen].format(what.replace("_", " ")), **scores})
    return {"held_out_places": rows}


SEEN = {
    "hidden": "squared error of hidden {}, of its variance",
    "complete": "R2 of {} from complete windows",
    "masked": "R2 of {} from windows half hidden",
}
"""How the first words of scores at held-out places read on a card."""


def command(stage: str, only: str = "") -> str:
    """Write the command that makes a file again."""
    words = f"python -m benchmarks.weights {stage}"
    return f"{words} --only {only}" if only else words


def _published(runs: Runs, product: Product, encoder: Weights, folder: Path) -> None:
    """Write one product."""
    lacking = [
        job for job in product.jobs(runs.proved[0])
        if not (runs.head(job) / "scores.csv").exists()
    ]  # fmt: skip
    if lacking:
        print(f"{product.name} waits for: {'; '.join(map(str, lacking))}")
        return
    drafts = runs.folder / "drafts"
    drafts.mkdir(exist_ok=True)
    jobs = product.jobs(runs.proved[0])
    members = [_member(runs, job, encoder, drafts) for job in jobs]
    level = [
        _member(runs, job, encoder, drafts, "level")
        for job in jobs
        if SYSTEMS[job.system].level is not None
    ]
    path = drafts / f"{product.name}.safetensors"
    readings = (product.reading,)
    draft = combine(
        members,
        path,
        level=level,
        name=product.name,
        dtype="float16",
        readings=readings,
    )
    task = runs.task(product.target)
    causal = product.reading == CAUSAL
    asked = ask(runs.data, task, draft, encoder, causal=causal)
    entries = _banded(asked, draft, encoder, runs, path)
    about = described(task).set_index("site")
    skill = [
        row
        for inputs, answers in {
            "complete": asked,
            "precipitation and temperature": ask(
                runs.data, task, draft, encoder, weather_alone=True, causal=causal
            ),
        }.items()
        for row in skill_table(
            scored(answers), about[list(GROUPED)], product.target,
            deciding(product.target), inputs=inputs,
        )
    ]  # fmt: skip
    publishing.publish_ensemble(
        members,
        level=level,
        name=product.name,
        form=product.form,
        description=product.description,
        version=VERSION,
        default_for=product.default_for,
        folder=folder,
        dtype="float16",
        skill=tuple(skill),
        failures=failures(path, product.target, encoder, runs),
        places=_places(task),
        command=command("publish", product.name),
        readings=readings,
        **entries,
    )


def _member(
    runs: Runs, job: Job, encoder: Weights, folder: Path, part: str = "head"
) -> Weights:
    """Write the head of a job, or that of its level, as a weights file."""
    place = runs.head(job)
    config = HeadConfig.from_dict(json.loads((place / f"{part}.json").read_text()))
    head = build_head(config)
    head.load_state_dict(torch.load(place / f"{part}.pt", weights_only=True)["head"])
    whole = runs.task(job.target)
    task = whole.with_roles(roles(whole.sites, job))
    about = json.loads((place / "about.json").read_text())
    kept = {key: about[key] for key in ("minutes", "updates", "machine", "job")}
    return publishing.publish_head(
        head.eval(),
        config,
        task,
        encoder,
        name=job.folder if part == "head" else f"{job.folder}-{part}",
        form=job.system,
        description=str(job),
        default_for=(),
        training={**kept, "data": sources(runs, job.target)},
        metrics={},
        folder=folder,
        dtype="float32",
    )


def sources(runs: Runs, target: str) -> list[dict[str, Any]]:
    """Name the files that a target's sites come from, with licences and hashes."""
    path = runs.folder / "tasks" / target / "data.json"
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def _places(task: Task) -> Places:
    """Say where the training sites lie."""
    role = roles(task.sites, Job("", "random", "", NONE, 0))
    sites = task.sites[task.sites["site"].map(role) == "train"]
    return Places.of(sites["lat"].tolist(), sites["lon"].tolist())


def _banded(
    asked: Asked, draft: Weights, encoder: Weights, runs: Runs, path: Path
) -> dict[str, Any]:
    """Fit bands on all held-out places; measure them where each was left out.

    Heads of several targets have bands of the first alone.
    """
    target = draft.card.targets[0].name
    task = runs.task(target)
    parts = list(asked.folds())
    levels = possible_levels(min(len(others.sites) for others, _ in parts))
    if len(levels) < 3:  # the median and one interval
        return {}

    def banded(at: Asked) -> Band:
        source = f"{len(at.sites)} held-out sites"
        return fit_band(at.predicted, at.observed, target, levels=levels, source=source)

    answers = []
    for others, part in parts:
        fitted = [banded(others)]
        checked = combine(
            [draft],
            path.with_stem(f"{path.stem}-banded"),
            bands=fitted,
            dtype="float16",
            readings=draft.card.readings,
        )
        answers.append(
            ask(
                runs.data,
                task,
                checked,
                encoder,
                causal=CAUSAL in draft.card.readings,
                quantiles=levels,
                sites=part.sites,
            )
        )
    answered = joined(answers)
    about = described(task).set_index("site").loc[answered.sites]
    table = coverage(
        answered.predicted,
        answered.observed,
        {by: about[by].to_numpy() for by in GROUPED},
        intervals=[each for each in INTERVALS if (1 + each) / 2 in levels],
    )
    table.insert(0, "target", target)
    table.round(4).to_csv(path.with_suffix(".coverage.csv"), index=False)
    whole = table[table["by"] == "all"]
    held = {
        f"{row.interval:.0%}": round(float(row.coverage), 3)
        for row in whole.itertuples()
    }
    return {"bands": [banded(asked)], "metrics": {"coverage": held}}


def possible_levels(sites: int) -> tuple[float, ...]:
    """Choose the levels for which there are enough calibration sites.

    Examples
    --------
    >>> possible_levels(7), possible_levels(19) == LEVELS
    ((0.25, 0.5, 0.75), True)
    """
    return tuple(level for level in LEVELS if sites_needed([level]) <= sites)


def failures(path: Path, target: str, encoder: Weights, runs: Runs) -> tuple[str, ...]:
    """Ask the behaviour table which experiments a head fails."""
    if target not in ("streamflow", "soil_moisture"):
        return ()
    out = runs.folder / "behaviour" / path.stem
    words = [sys.executable, str(BEHAVIOUR), "--data", str(runs.data), "--jobs", "1"]
    words += ["--weights", str(encoder.path), "--head", f"{target}={path}"]
    subprocess.run([*words, "--out", str(out)], check=True, stdout=subprocess.DEVNULL)
    rows = json.loads((out / "behaviour.json").read_text())
    return tuple(
        f"{row['name']}: {row['measured']} ({row['kind']})"
        for row in rows
        if row["head"] == path.stem and not row["passed"]
    )


def _replace_first_release() -> None:
    """Make the new encoder the default; take the first release out of the package."""
    registry.make_default(ENCODER)
    for entry in registry.table().entries:
        if entry.version == "v1" and entry.bundled:
            registry.retire(entry.name, xstefaland.__version__)
