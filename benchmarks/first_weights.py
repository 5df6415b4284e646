"""Train, score and publish weights as the first ones that ship.

One command, resumable; every stage leaves its result under ``--runs`` and is skipped
when that is there::

    python benchmarks/first_weights.py --data ../shared/data --runs runs --stage all

Files go to ``--into``, by default a folder of the runs. The bundled files of version 1,
and the tables under benchmarks/results, were made by this command at commit 49c23c2:
with another corpus (six sources, sampled by length), other masks and other losses.

Stages: pretrain, encoder (publish), score (reconstruction on held-out places),
streamflow, soil_moisture, hbv (embeddings, heads, scores), publish (heads), report
(tables under benchmarks/results).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from xstefaland import datasets
from xstefaland.model import HeadConfig, StefaLand, build_head
from xstefaland.model.physics import FLUXES
from xstefaland.training import corpus as corpora
from xstefaland.training import evaluation, pretraining, publishing, tasks
from xstefaland.training.finetuning import FORCING
from xstefaland.training.fitting import (
    Finetuning,
    fit,
    predict_sites,
    score_sites,
)
from xstefaland.training.sampling import Version
from xstefaland.training.shards import REQUIREMENTS
from xstefaland.weights.files import Weights, read
from xstefaland.weights.targets import TARGETS

RESULTS = Path(__file__).parent / "results"
SCORES = ["nse", "kge", "rmse", "ubrmse", "corr", "pbias"]
PERIODS = {
    "streamflow": ("1993-10-01", "2008-09-30"),
    "soil_moisture": ("2009-01-01", "2024-04-30"),
}
OBSERVED: dict[str, tuple[Callable[[Path], xr.Dataset], tuple[str, ...]]] = {
    # target -> reader of what was observed, and the corpus' sources of the same sites
    "streamflow": (
        datasets.camels_us,
        ("camels-era5land", "camels-daymet", "camels-nldas"),
    ),
    "soil_moisture": (datasets.uscrn, ("uscrn",)),
}
# system -> head kind, encoder ("trained", "random" or none), physics
SYSTEMS: dict[str, tuple[Any, str | None, Any]] = {
    "lstm": ("lstm", None, None),
    "resconn": ("resconn", "trained", None),
    "ablation": ("resconn", "random", None),
    "no_resconn": ("no_resconn", "trained", None),
    "linear": ("linear", "trained", None),
    "lstm-hbv": ("lstm", None, "hbv"),
    "resconn-hbv": ("resconn", "trained", "hbv"),
    "no_resconn-hbv": ("no_resconn", "trained", "hbv"),
    "ablation-hbv": ("resconn", "random", "hbv"),
}
ENCODER = "stefaland-base-v1"
HEAD_STEPS = {"streamflow": 1500, "soil_moisture": 1000}
REQUIRED = ["precipitation", "temperature"]
TABLES = {  # inputs -> scores per site
    "full": "scores.csv",
    "full, float16 file": "scores-bundled.csv",
    "dropped": "scores-dropped.csv",
}
PUBLISHED = (  # target, system, name of the file, description
    (
        "streamflow",
        "resconn",
        "streamflow-resconn-v1",
        "Daily streamflow, finetuned on CAMELS-US basins",
    ),
    (
        "soil_moisture",
        "resconn",
        "soil-moisture-resconn-v1",
        "Daily soil moisture at 5 cm, finetuned on USCRN stations",
    ),
    (
        "streamflow",
        "resconn-hbv",
        "streamflow-resconn-hbv-v1",
        "Water balance by HBV 1.1 with learned parameters, CAMELS-US basins",
    ),
)


class Workshop:
    """Paths and settings of one run of the command."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.data, self.runs = arguments.data, arguments.runs
        self.steps, self.head_steps = arguments.steps, arguments.head_steps
        self.hbv_steps = arguments.hbv_steps
        self.into = arguments.into or self.runs / "weights"
        self.into.mkdir(parents=True, exist_ok=True)
        self.settings = pretraining.Pretraining(
            steps=arguments.steps, batch_size=16, learning_rate=7e-4
        )

    def corpus(self) -> corpora.Corpus:
        """Build what is not there of the corpus, and open it."""
        return corpora.build(self.data, self.runs / "corpus")

    def roles(self) -> pd.Series:
        """Role of every corpus site."""
        return pretraining.roles(self.corpus(), self.settings)

    def pretrain(self) -> None:
        """Pretrain, or go on."""
        pretraining.pretrain(self.corpus(), self.runs / "base", self.settings)

    def model(self) -> tuple[StefaLand, dict[str, float]]:
        """Load the pretrained model with its position in training."""
        return pretraining.load_model(self.runs / "base")

    def encoder(self) -> Weights:
        """Open the encoder's file; publish it first where there is none."""
        path = self.into / f"{ENCODER}.safetensors"
        return read(path) if path.exists() else self.publish_encoder({})

    def publish_encoder(self, metrics: dict[str, object]) -> Weights:
        """Write the encoder's weights file."""
        model, position = self.model()
        return publishing.publish_encoder(
            model,
            self.corpus(),
            self.settings,
            self.roles(),
            name=ENCODER,
            description=(
                "Foundation model, 256 wide, 4 layers, pretrained on the weather and "
                "attributes of CAMELS, MOPEX, Caravan, USCRN, DRB and AEMET"
            ),
            training={**position, "machine": machine()},
            metrics=metrics,
            folder=self.into,
        )

    def score(self) -> None:
        """Score the encoder on held-out places, as trained and as stored."""
        if (self.runs / "reconstruction.csv").exists():
            return
        corpus, roles = self.corpus(), self.roles()
        model, stored = self.model()[0], self.encoder().model()
        table = evaluation.evaluate_forcing(model, corpus, roles)
        half = evaluation.evaluate_forcing(stored, corpus, roles)
        table.insert(5, "stefaland_float16", half["stefaland"])
        static = evaluation.evaluate_attributes(model, corpus, roles)
        static.to_csv(self.runs / "attributes.csv")
        table.to_csv(self.runs / "reconstruction.csv", index=False)
        records = {
            "reconstruction_nse": json.loads(table.to_json(orient="records")),
            "attributes_r2": json.loads(static.reset_index().to_json(orient="records")),
        }
        self.publish_encoder(records)

    def task(self, target: str) -> tasks.Task:
        """Observations of a target with inputs; roles are those of the encoder."""
        reader, sources = OBSERVED[target]
        name = sources[0].partition("-")[0]
        records = tasks.read_records(
            reader(self.data),
            TARGETS[target],
            REQUIREMENTS,
            name=name,
            period=slice(*PERIODS[target]),
        )
        task = tasks.make_task([records], TARGETS[target], REQUIREMENTS)
        sites = self.corpus().sites.assign(role=self.roles())
        known = {
            f"{name}-{site.removeprefix(f'{source}-')}": role
            for site, source, role in zip(
                sites["site"], sites["source"], sites["role"], strict=True
            )
            if source in sources
        }
        return task.with_roles(known)

    def versions(self, target: str, encoder: str | None) -> list[Version]:
        """Complete inputs and inputs with some hidden, each with its embeddings."""
        task = self.task(target)
        dropped = tasks.drop_inputs(task, REQUIRED, 1)
        renderings = {"full": None, "dropped": dropped}
        if encoder is None:
            return [Version(hidden, None) for hidden in renderings.values()]
        model = self.encoder().model()
        if encoder == "random":
            model = randomised(model)
        versions = []
        for name, hidden in renderings.items():
            folder = self.runs / "embeddings" / f"{target}-{encoder}-{name}"
            caches = tasks.cache_embeddings(model, task, folder, hidden)
            versions.append(Version(hidden, caches))
        return versions

    def show_physics(self, task: tasks.Task, versions: list[Version]) -> list[Version]:
        """Show HBV its own forcing at every site; embeddings stay as they are."""
        column = task.forcing_names.index("potential_evapotranspiration")
        for version in versions:
            for forcing, _ in (version.hidden or {}).values():
                forcing[:, column] = False
        return versions

    def train(self, target: str, system: str) -> None:
        """Train and score one system, unless its scores are there."""
        folder = self.runs / "heads" / f"{target}-{system}"
        if (folder / "scores.csv").exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        task, (_, encoder, physics) = self.task(target), SYSTEMS[system]
        config = self.head_config(task, system)
        versions = self.versions(target, encoder)
        if physics:
            versions = self.show_physics(task, versions)
        settings = self.head_settings(target, physics)
        started = time.monotonic()
        checkpoint = folder / "checkpoint.pt"
        head = fit(task, config, versions, settings, checkpoint=checkpoint)
        minutes = (time.monotonic() - started) / 60
        torch.save(head.state_dict(), folder / "head.pt")
        for name, version in zip(("full", "dropped"), versions, strict=True):
            results = predict_sites(head, task, config, version)
            table = score_sites(results, SCORES)
            table.assign(inputs=name).to_csv(folder / f"scores-{name}.csv", index=False)
        about = {"minutes": minutes, "updates": settings.updates}
        (folder / "about.json").write_text(json.dumps(about))
        (folder / "scores-full.csv").rename(folder / "scores.csv")

    def head_settings(self, target: str, physics: str | None) -> Finetuning:
        """Equal budgets: every system of a kind sees the same windows."""
        hbv = physics == "hbv"
        return Finetuning(
            updates=self.hbv_steps if hbv else self.head_steps or HEAD_STEPS[target],
            batch_size=32,
            warmup=365 if hbv else 120,
        )

    def head_config(self, task: tasks.Task, system: str) -> HeadConfig:
        """Configure a head; all get the same inputs."""
        kind, _, physics = SYSTEMS[system]
        return HeadConfig(
            kind=kind,
            physics=physics,
            targets=tuple(FLUXES) if physics else (task.target.name,),
            forcing=tuple(name for name in FORCING if name in task.known_forcing),
            attributes=task.known_attributes,
            also_log=("precipitation",),
        )

    def publish(self) -> None:
        """Write the heads' weights files and fill the registry."""
        for target, system, name, text in PUBLISHED:
            folder = self.runs / "heads" / f"{target}-{system}"
            if not (folder / "scores.csv").exists():
                continue
            task = self.task(target)
            config = self.head_config(task, system)
            head = build_head(config)
            head.load_state_dict(torch.load(folder / "head.pt", weights_only=True))
            own = (
                config.targets
                if target != "streamflow" or system == "resconn"
                else config.targets[1:]
            )
            weights = publishing.publish_head(
                head.eval(),
                config,
                task,
                self.encoder(),
                name=name,
                form=system,
                description=text,
                default_for=own,
                training=json.loads((folder / "about.json").read_text()),
                metrics=medians(folder / "scores.csv"),
                folder=self.into,
            )
            version = self.versions(target, "trained")[0]
            stored = predict_sites(weights.model(), task, config, version)
            table = score_sites(stored, SCORES)
            table.to_csv(folder / "scores-bundled.csv", index=False)

    def report(self) -> None:
        """Write the tables."""
        RESULTS.mkdir(exist_ok=True)
        lines = [header(self.corpus(), self.settings.left_out_seed)]
        for title, name in (
            ("Reconstruction", "reconstruction"),
            ("Attributes", "attributes"),
        ):
            if (self.runs / f"{name}.csv").exists():
                table = pd.read_csv(self.runs / f"{name}.csv")
                lines += [f"## {title}", markdown(table)]
                table.to_csv(RESULTS / f"first_weights_{name}.csv", index=False)
        rows = []
        for folder in sorted((self.runs / "heads").glob("*")):
            if not (folder / "scores.csv").exists():
                continue
            about = json.loads((folder / "about.json").read_text())
            target, _, system = folder.name.partition("-")
            for inputs, file in TABLES.items():
                if not (folder / file).exists():
                    continue
                row = {"target": target, "system": system, "inputs": inputs}
                row |= {"sites": len(pd.read_csv(folder / file))}
                rows.append(row | medians(folder / file) | about)
        table = pd.DataFrame(rows)
        table.to_csv(RESULTS / "first_weights_heads.csv", index=False)
        lines += [
            "## Heads: median over held-out sites, after day 365",
            markdown(table),
        ]
        (RESULTS / "first_weights.md").write_text("\n\n".join(lines) + "\n")


def randomised(model: StefaLand) -> StefaLand:
    """Draw the same form and scaling anew, without any training."""
    torch.manual_seed(0)
    fresh = StefaLand(model.config)
    for name in ("forcing_scaling", "attribute_scaling"):
        state = model.get_submodule(name).state_dict()
        fresh.get_submodule(name).load_state_dict(state)
    return fresh.eval()


def medians(path: Path) -> dict[str, float]:
    """Median of every score over sites."""
    table = pd.read_csv(path)
    return {name: round(float(np.median(table[name])), 4) for name in SCORES}


def machine() -> str:
    """Describe the machine in a line."""
    load = os.getloadavg()[1]
    return f"{os.cpu_count()} cores {platform.machine()}, 5-minute load {load:.1f}"


def header(corpus: corpora.Corpus, seed: int) -> str:
    """Date, machine, versions, data."""
    files = ", ".join(f"{f['name']} {f['sha256'][:12]}" for f in corpus.data)
    now = datetime.now(UTC).date()
    return (
        f"# First weights\n\n{now}, {machine()}, torch {torch.__version__}, seed 0, "
        f"places left out by seed {seed}. Data (sha256): {files}."
    )


def markdown(table: pd.DataFrame) -> str:
    """Render a table as Markdown."""
    rows = [table.columns.tolist(), ["---"] * table.shape[1]]
    rows += [
        [f"{v:.3f}" if isinstance(v, float) else str(v) for v in row]
        for row in table.itertuples(index=False)
    ]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def main() -> None:
    """Run the stages asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--into", type=Path, help="where the weights files go")
    parser.add_argument("--stage", nargs="+", default=["all"])
    parser.add_argument("--systems", nargs="+")
    parser.add_argument("--steps", type=int, default=4400)
    parser.add_argument("--head-steps", type=int)
    parser.add_argument("--hbv-steps", type=int, default=600)
    arguments = parser.parse_args()
    shop, stages = Workshop(arguments), set(arguments.stage)
    every = "all" in stages
    if every or "pretrain" in stages:
        shop.pretrain()
    if every or "encoder" in stages:
        shop.encoder()
    if every or "score" in stages:
        shop.score()
    plans = {
        "streamflow": ["resconn", "lstm", "ablation"],
        "soil_moisture": ["resconn", "lstm", "ablation"],
        "hbv": ["resconn-hbv", "lstm-hbv", "no_resconn-hbv", "ablation-hbv"],
    }
    for stage, systems in plans.items():
        if every or stage in stages:
            target = "streamflow" if stage == "hbv" else stage
            for system in arguments.systems or systems:
                shop.train(target, system)
    if every or "publish" in stages:
        shop.publish()
    if every or "report" in stages:
        shop.report()


if __name__ == "__main__":
    main()
