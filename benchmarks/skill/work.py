"""Do one job: pretrain an encoder that leaves folds out, or score systems on folds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.weights.encoder import BATCH, RATES, EncoderRun, position
from benchmarks.worklist import Worklist, stop_here
from xstefaland.inference.plans import plan_encoder
from xstefaland.splits import load_folds
from xstefaland.training import corpus as corpora
from xstefaland.training.benchmark import PROTOCOLS, Protocol, run_benchmark
from xstefaland.training.benchmark.holdouts import SHIPPED
from xstefaland.training.benchmark.pieces import SCORES, STOPPED
from xstefaland.training.benchmark.reading import read_tasks
from xstefaland.training.places import unknown_names
from xstefaland.training.pretraining import Pretraining
from xstefaland.weights import load
from xstefaland.weights.files import Weights, read

from .jobs import ENCODERS, MAIN, Encoding, Job, Scoring, every_job, read_job

WIDTH = 128
UPDATES = 4640
"""Some 66 000 basin-years in batches of 16 windows."""


@dataclass(frozen=True)
class SkillRuns:
    """The folder of all jobs, the archives, and the corpus that is made from them."""

    folder: Path
    data: Path
    corpus: Path

    def encoder(self, name: str) -> Path:
        """File of an encoder."""
        return self.folder / "encoders" / f"{name}.safetensors"

    def benchmark(self, name: str) -> Path:
        """Folder of the pieces of a benchmark."""
        return self.folder / "benchmark" / name

    @property
    def worklist(self) -> Worklist:
        """The queue of all jobs."""
        words = ["-m", "benchmarks.skill", "work"]
        for name in ("folder", "data", "corpus"):
            option = "runs" if name == "folder" else name
            words += [f"--{option}", str(getattr(self, name).resolve())]
        return Worklist(self.folder, words, lambda line: self.done(read_job(line)))

    def done(self, job: Job) -> bool:
        """Tell whether a job is done."""
        if isinstance(job, Encoding):
            return self.encoder(job.name).exists()
        return not any(True for _ in self.lacking(job))

    def lacking(self, job: Scoring) -> Iterator[tuple[int, int, str]]:
        """Yield seed, fold and system of what is not done of a job."""
        protocol, folder = PROTOCOLS[job.benchmark], self.benchmark(job.benchmark)
        for seed in job.seeds:
            for fold in job.folds:
                if not isinstance(protocol, Protocol):  # an archive, with all systems
                    name = f"{protocol.sources[fold].name}-seed{seed}"
                    if not (folder / name / SCORES).exists():
                        yield from ((seed, fold, system) for system in job.systems)
                    continue
                for system in job.systems:
                    own = list(folder.glob(f"*/seed{seed}-fold{fold}-{system}"))
                    ended = [
                        (piece / SCORES).exists() or (piece / STOPPED).exists()
                        for piece in own
                    ]
                    if sum(ended) < len(protocol.targets):
                        yield seed, fold, system


def plan(runs: SkillRuns, encoder: str | None) -> None:
    """Write the queue, and copy the encoder that ships into the runs.

    Without an encoder, the jobs that need it are left out until it is given.
    """
    path = runs.encoder(MAIN)
    path.parent.mkdir(parents=True, exist_ok=True)
    if encoder is not None:
        weights = load(encoder)
        if not path.exists():
            shutil.copy(weights.path, path)
        elif read(path) != weights:
            raise SystemExit(
                f"{path} is another encoder than {encoder}: give other --runs, or "
                f"delete it and what was scored with it in {runs.folder / 'benchmark'}"
            )
    there = [
        str(job)
        for job in every_job()
        if path.exists() or isinstance(job, Encoding) or MAIN not in job.encoders
    ]
    lines = runs.worklist.add(there)
    print(f"{len(lines)} jobs in {runs.folder / 'queue.txt'}")


def do(runs: SkillRuns, job: Job) -> None:
    """Do one job in this process, or go on with it."""
    if isinstance(job, Encoding):
        pretrain(runs, job.name)
    else:
        score(runs, job)


def score(runs: SkillRuns, job: Scoring) -> None:
    """Score systems on folds, each with the encoder that never saw it."""
    files = [runs.encoder(name) for name in job.encoders]
    if missing := [path.stem for path in files if not path.exists()]:
        todo = "`plan --encoder FILE`" if MAIN in missing else f"`encoder {missing[0]}`"
        raise SystemExit(f"{job}: {', '.join(missing)} is not there; first {todo}")
    run_benchmark(
        PROTOCOLS[job.benchmark],
        runs.data,
        runs.benchmark(job.benchmark),
        encoder=files,
        systems=job.systems,
        folds=job.folds,
        seeds=job.seeds,
        progress=False,
    )


def pretrain(runs: SkillRuns, name: str, updates: int = UPDATES) -> None:
    """Pretrain an encoder that leaves out its folds by place, in every archive."""
    folder = runs.encoder(name).with_suffix("")
    corpus = corpora.build(runs.data, runs.corpus)
    asked = left_out(runs, name)
    unknown = set(unknown_names(corpus.sites, asked))  # benchmarks have other archives
    settings = Pretraining(
        steps=updates,
        batch_size=BATCH,
        learning_rate=RATES[WIDTH],
        left_out=tuple(label for label in asked if label not in unknown),
        model={"d_model": WIDTH, "ffn": 2 * WIDTH},
    )
    EncoderRun(corpus, settings, folder, float("inf")).train()
    at = position(folder)
    if at["step"] < updates:
        stop_here()
    last = folder / f"{name}-{round(at['basin_years'] / 1000):03d}k.safetensors"
    unfinished = runs.encoder(name).with_suffix(".part")
    shutil.copy(last, unfinished)
    unfinished.rename(runs.encoder(name))


def any_encoder() -> Weights:
    """Return an encoder whose inputs are read where sites alone are asked for."""
    return plan_encoder(None)[0]


def left_out(runs: SkillRuns, name: str) -> tuple[str, ...]:
    """Labels of all sites of the folds that an encoder is to leave out.

    Of folds that ship all sites are left out, those without weather in the benchmark's
    product too.
    """
    labels: set[str] = set()
    for benchmark, folds in ENCODERS[name].items():
        shipped = SHIPPED / f"{benchmark}.json"
        if shipped.exists():
            fold = load_folds(shipped).to_series()
            labels |= set(fold.index[fold.isin(folds)])
            continue
        protocol = PROTOCOLS[benchmark]
        assert isinstance(protocol, Protocol)
        tasks, found = read_tasks(protocol, runs.data, any_encoder(), quick=False)
        for target, task in tasks.items():
            held = [number in folds for number in found[target]]
            labels |= set(task.sites["label"][held])
    return tuple(sorted(labels))
