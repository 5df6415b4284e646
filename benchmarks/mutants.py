"""How many small bugs the tests notice: a random sample of mutants of the package.

``make mutants`` copies the tree, changes one expression or statement of the copy at a
time (`mutations.py`), and runs the tests of that room, those of the module first, until
one fails. A mutant is killed when a test fails or takes far longer than before. What
survives is run again with a probe at its place, to tell code that no test executes.

Every mutant of the chosen modules is equally likely to be drawn, so the killed share is
that of all of them, within the interval given. A run that was stopped goes on where it
was; ``--again`` repeats the survivors after tests were added. The work tree is read,
never written, but for ``benchmarks/results/mutants.md``.

Libraries were tried first: mutmut 3.8 leaves decorated functions (all of numba's
kernels), constants and defaults out, and nearly half of its mutants are changed texts;
cosmic-ray 8.7 starts an interpreter for each (5 s instead of 1) and cannot sample.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutations import Mutation, mutations

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "build" / "mutants.jsonl"
RESULT = ROOT / "benchmarks" / "results" / "mutants.md"
SERVER = multiprocessing.get_context("forkserver")
LOADED = ["torch", "xarray", "pandas", "dask.array", "scipy.stats", "pint"]
"""What every process of tests finds imported; none of it is ours."""

TESTS = {  # room -> tests, the nearest first
    "inputs": ["tests/inputs", "tests/inference", "tests/geometry"],
    "inference": ["tests/inference", "tests/test_bundled.py", "tests/test_sklearn.py"],
    "model/hbv": ["tests/model/hbv", "tests/inference/test_hbv.py"],
    "model": [
        "tests/model/test_*.py",
        "tests/weights/test_equality.py",
        "tests/inference/test_blocks.py",
        "tests/test_bundled.py",
        "tests/training/test_finetuning.py",
    ],
    "training": ["tests/training"],
    "geometry": ["tests/geometry", "tests/inputs"],
    "weights": ["tests/weights"],
    "datasets": ["tests/datasets"],
    "metrics": ["tests/metrics"],
    "splits": ["tests/splits"],
}
ROOMS = ["inputs/", "inference/", "training/", "model/hbv/"]
LEFT_OUT = ("model/hbv/gpu/", "inputs/variables.py")  # no device; a table of data
COMPILED = ("model/hbv/cpu/", "model/hbv/parameters.py")  # cached by numba
AFTERWARDS = """
Tests were added against survivors of this very sample, and those run again: draw
another seed for a share that is true of all mutants.
"""
WRONG_TREE, NOTHING = 70, 5  # exit codes of a run that says nothing


@dataclass(frozen=True)
class Mutant:
    """A mutation of a file ``xstefaland/...``."""

    file: str
    mutation: Mutation

    @property
    def module(self) -> str:
        """Path inside the package."""
        return self.file.removeprefix("xstefaland/")

    @property
    def key(self) -> str:
        """Name that changes when the file does."""
        source = (ROOT / self.file).read_bytes()
        text = f"{self.file} {hashlib.sha256(source).hexdigest()} {self.mutation}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def population(modules: Sequence[str]) -> list[Mutant]:
    """Every mutant of the files whose path begins with one of `modules`."""
    found = []
    for path in sorted((ROOT / "xstefaland").rglob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        module = file.removeprefix("xstefaland/")
        if module.startswith(tuple(modules)) and not module.startswith(LEFT_OUT):
            found += [Mutant(file, m) for m in mutations(path.read_bytes())]
    return found


def room_of(module: str) -> str:
    """Return the room whose tests count for a module."""
    rooms = [room for room in TESTS if module.startswith(room)]
    if not rooms:
        raise SystemExit(f"no tests are known for {module}; add its room to TESTS")
    return max(rooms, key=len)


def tests_of(module: str) -> list[list[str]]:
    """Return the tests of a module: its examples and own file, then all of its room.

    The first are few, so that a mutant which they kill costs little.
    """
    near = Path("tests") / Path(module).with_name(f"test_{Path(module).name}")
    stages = [f"xstefaland/{module}", near.as_posix()], TESTS[room_of(module)]
    return [_existing(names) for names in stages]


def _existing(names: Sequence[str]) -> list[str]:
    found = [path for name in names for path in sorted(ROOT.glob(name))]
    return [path.relative_to(ROOT).as_posix() for path in found]


class Quiet:
    """Pytest plugin: equal examples in every run, and patience on a busy machine."""

    def pytest_configure(self) -> None:
        """Load the profile after that of the tests."""
        from hypothesis import HealthCheck, settings

        settings.register_profile(
            "mutants",
            settings.get_profile("house"),
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        settings.load_profile("mutants")


def run_tests(folder: str, tests: list[str], cache: str, cpu: int) -> None:
    """Be the process that runs the tests of a copy; its exit code is the answer."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 5))
    with open(os.devnull, "w") as nowhere:  # the parent's output is its own
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    os.environ["NUMBA_CACHE_DIR"] = cache
    os.chdir(folder)
    sys.path.insert(0, folder)
    import pytest

    marks = "not slow and not network and not gpu"
    options = ["-x", "-q", "--doctest-modules", "-m", marks, "-p", "no:cacheprovider"]
    code = int(pytest.main([*options, *tests], plugins=[Quiet()]))
    package = sys.modules.get("xstefaland")
    if code == 0 and not str(getattr(package, "__file__", "")).startswith(folder):
        code = WRONG_TREE
    os._exit(code)


class Bench:
    """A copy of the tree in which one mutant lives at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder / "tree", folder / "numba"
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(
            listed, cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split("\n")
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, self.folder / name)
        self.seconds: dict[str, float] = {}

    def judge(self, mutant: Mutant) -> dict[str, Any]:
        """Run the tests of a mutant, and say what became of it."""
        limit = self._limit(room_of(mutant.module))
        begun = time.monotonic()
        verdict = self._verdict(self._run(mutant, limit))
        if verdict == "survived" and not self._is_executed(mutant, limit):
            verdict = "not executed"
        change = mutant.mutation
        return {
            "key": mutant.key,
            "file": mutant.file,
            "line": change.line,
            "kind": change.kind,
            "old": change.old,
            "new": change.new,
            "verdict": verdict,
            "seconds": round(time.monotonic() - begun, 1),
        }

    @staticmethod
    def _verdict(code: int | None) -> str:
        if code in (WRONG_TREE, -signal.SIGTERM, -signal.SIGINT):
            raise SystemExit("the tests did not run to their end on the copy")
        if code is None or code in (-signal.SIGXCPU, -signal.SIGKILL):
            return "timeout"
        return "killed" if code else "survived"

    def _limit(self, room: str) -> int:
        """Seconds of CPU that the tests may take; they must pass without a change."""
        if room not in self.seconds:
            begun, tests = time.monotonic(), _existing(TESTS[room])
            if self._process(tests, self.cache, 900) != 0:
                raise SystemExit(f"these fail without any change: {' '.join(tests)}")
            self.seconds[room] = time.monotonic() - begun
        return int(3 * self.seconds[room] + 30)

    def _run(self, mutant: Mutant, limit: int, mark: Path | None = None) -> int | None:
        """Put the mutant into the copy, run its tests until one fails, take it out.

        With `mark`, the code at its place makes that file, and no more is run then.
        """
        path = self.folder / mutant.file
        source = path.read_bytes()  # of the copy: the work tree may have moved on
        own = self.cache
        if mutant.module.startswith(COMPILED):
            own = self.folder.parent / "own"
            shutil.rmtree(own, ignore_errors=True)
        probe = f"__import__('pathlib').Path({str(mark)!r}).touch()" if mark else ""
        path.write_bytes(mutant.mutation.apply(source, probe))
        try:
            for tests in tests_of(mutant.module):
                code = self._process(tests, own, limit) if tests else 0
                if code not in (0, NOTHING) or (mark and mark.exists()):
                    break
            return 0 if code == NOTHING else code
        finally:
            path.write_bytes(source)

    def _is_executed(self, mutant: Mutant, limit: int) -> bool:
        """Leave a mark where the mutant is; a kernel that cannot do so fails."""
        mark = self.folder.parent / "mark"
        mark.unlink(missing_ok=True)
        return self._run(mutant, limit, mark) != 0 or mark.exists()

    def _process(self, tests: list[str], cache: Path, cpu: int) -> int | None:
        arguments = (str(self.folder), tests, str(cache), cpu)
        process = SERVER.Process(target=run_tests, args=arguments)
        process.start()
        process.join(20 * cpu)  # a busy machine takes its time; sleepers do not
        code = process.exitcode
        if code is None and process.pid is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        process.close()
        return code


def read_log() -> dict[str, dict[str, Any]]:
    """Judged mutants by key; the last line of each counts."""
    lines = LOG.read_text().splitlines() if LOG.exists() else []
    return {row["key"]: row for row in map(json.loads, lines)}


def judge_all(
    todo: list[Mutant], jobs: int, minutes: float
) -> Iterator[dict[str, Any]]:
    """Judge mutants on some benches at once while there is time; keep what is found."""
    end = time.monotonic() + 60 * minutes
    LOG.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        benches = [Bench(Path(folder) / str(number)) for number in range(jobs)]
        with ThreadPoolExecutor(jobs) as pool:
            shares = [todo[number::jobs] for number in range(jobs)]
            for rows in pool.map(_work, benches, shares, [end] * jobs):
                yield from rows


def _work(bench: Bench, todo: list[Mutant], end: float) -> list[dict[str, Any]]:
    """Judge one share, in the order drawn: what is done by the end is a sample too."""
    rows = []
    for mutant in todo:
        if time.monotonic() > end:
            break
        row = bench.judge(mutant)
        with LOG.open("a") as file:
            file.write(json.dumps(row) + "\n")
        place = f"{row['file']}:{row['line']}"
        print(f"{row['verdict']:13}{place}  {row['kind']}", flush=True)
        rows.append(row)
    return rows


def interval(killed: int, count: int) -> tuple[float, float]:
    """Wilson's interval of a share, 95 %."""
    z = 1.96
    share, wide = killed / count, 1 + z * z / count
    centre = (share + z * z / (2 * count)) / wide
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2)) / wide
    return centre - half, centre + half


def is_killed(row: dict[str, Any]) -> bool:
    """Whether the tests noticed."""
    return row["verdict"] in ("killed", "timeout")


def table(rows: list[dict[str, Any]], everything: list[Mutant]) -> str:
    """Killed and survived per module, as Markdown."""
    lines = [
        "| module | mutants | drawn | killed | survived | not executed |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for file in sorted({row["file"] for row in rows}):
        own = [row for row in rows if row["file"] == file]
        size = sum(mutant.file == file for mutant in everything)
        verdicts = [row["verdict"] for row in own]
        lines.append(
            f"| `{file.removeprefix('xstefaland/')}` | {size} | {len(own)} "
            f"| {sum(map(is_killed, own))} | {verdicts.count('survived')} "
            f"| {verdicts.count('not executed')} |"
        )
    return "\n".join(lines)


def survivors(rows: list[dict[str, Any]]) -> str:
    """List what the tests did not notice, one line each."""
    lines = []
    for row in sorted(rows, key=lambda r: (r["file"], r["line"])):
        if not is_killed(row):
            old, new = (" ".join(row[name].split())[:70] for name in ("old", "new"))
            unseen = " (not executed)" if row["verdict"] == "not executed" else ""
            place = f"{row['file'].removeprefix('xstefaland/')}:{row['line']}"
            lines.append(f"- `{place}` {row['kind']}: `{old}` -> `{new}`{unseen}")
    return "\n".join(lines)


def commit() -> str:
    """Name what the copies are made from."""
    call = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(call, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def report(
    rows: list[dict[str, Any]], everything: list[Mutant], args: argparse.Namespace
) -> str:
    """Write up a sample as Markdown; the commit is that of the last run."""
    killed = sum(map(is_killed, rows))
    low, high = interval(killed, len(rows))
    return f"""# Mutants: how many small bugs the tests notice

{killed} of {len(rows)} mutants killed: **{killed / len(rows):.1%}** (95 % interval
{low:.1%} to {high:.1%}), drawn from {len(everything)} with seed {args.seed}, commit
`{args.commit}`. Modules: {", ".join(f"`{m}`" for m in args.modules)}.
Made by `python benchmarks/mutants.py`; see there for what is changed and how.
{AFTERWARDS if args.again else ""}
{table(rows, everything)}

## What survived

{survivors(rows)}
"""


def main() -> None:
    """Draw, judge, write up."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=300, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--minutes", type=float, default=math.inf, help="then stop")
    parser.add_argument("--again", action="store_true", help="repeat the survivors")
    parser.add_argument("--modules", nargs="+", metavar="PATH", default=ROOMS)
    parser.add_argument("--write", type=Path, default=RESULT, help="Markdown to write")
    args = parser.parse_args()
    args.commit = commit()
    os.nice(19)
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    if (ROOT.parent / "shared" / "data").is_dir():  # the copy has no such neighbour
        os.environ.setdefault("XSTEFALAND_TEST_DATA", f"{ROOT.parent}/shared/data")
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # no stale bytecode, ever
    SERVER.set_forkserver_preload(LOADED)
    everything = population(args.modules)
    drawn = random.Random(args.seed).sample(
        everything, min(args.count, len(everything))
    )
    known = read_log()
    done = {key for key, row in known.items() if is_killed(row) or not args.again}
    todo = [mutant for mutant in drawn if mutant.key not in done]
    print(
        f"{len(drawn)} of {len(everything)} mutants, {len(todo)} to judge", flush=True
    )
    known |= {row["key"]: row for row in judge_all(todo, args.jobs, args.minutes)}
    rows = [known[mutant.key] for mutant in drawn if mutant.key in known]
    if not rows:
        raise SystemExit("nothing was judged in this time")
    args.write.write_text(report(rows, everything, args))
    print(report(rows, everything, args))


if __name__ == "__main__":
    main()
