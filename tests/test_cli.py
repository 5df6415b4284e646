"""The command line: what it prints, what it writes, and how it ends."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland import cli
from xstefaland.cli_arguments import folds, names, numbers, pairs, sizes
from xstefaland.errors import RunError
from xstefaland.testing import example_points, tiny_head, tiny_weights

Files = dict[str, str]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Weather in both formats, and weights, by path."""
    folder = tmp_path_factory.mktemp("cli")
    ds = example_points(4, 60)
    ds.to_netcdf(folder / "in.nc")
    ds.chunk(site=2).assign_coords(site=ds.site.astype(object)).to_zarr(
        folder / "in.zarr", zarr_format=2
    )
    weights = tiny_weights(folder / "encoder.safetensors", window=40, stride=15)
    head = tiny_head(weights, ["streamflow"], path=folder / "head.safetensors")
    return {
        "nc": str(folder / "in.nc"),
        "zarr": str(folder / "in.zarr"),
        "weights": str(weights.path),
        "head": str(head.path),
    }


def predict(files: Files, out: Any, *more: str, source: str = "nc") -> list[str]:
    """Write a command line that predicts streamflow."""
    line = ["predict", files[source], str(out), "--target", "streamflow", "--quiet"]
    return [*line, "--weights", files["weights"], "--head", files["head"], *more]


@pytest.mark.parametrize("source", ["nc", "zarr"])
def test_predict(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    """The store holds what the function gives; a second call says it is there."""
    out = tmp_path / "out.zarr"
    line = predict(files, out, "--regions", "site=2", "--chunks", "time=30")
    line[1] = files[source]
    assert cli.main(line) == cli.OK
    assert "complete. 2 regions: 2 written" in capsys.readouterr().out
    expected = xstefaland.predict(
        example_points(4, 60),
        "streamflow",
        weights=files["weights"],
        head=files["head"],
    )
    np.testing.assert_allclose(xr.open_zarr(out).streamflow, expected, rtol=1e-4)
    assert cli.main(line) == cli.OK
    assert "0 written, 2 there before" in capsys.readouterr().out
    assert cli.main([*line, "--restart"]) == cli.OK
    assert "2 written, 0 there before" in capsys.readouterr().out


def test_embed_and_reconstruct(files: Files, tmp_path: Path) -> None:
    """Their own arguments arrive."""
    shared = ["--quiet", "--weights", files["weights"]]
    embed = ["embed", files["nc"], str(tmp_path / "e.zarr"), "--pool", "year", *shared]
    assert cli.main(embed) == cli.OK
    assert xr.open_zarr(tmp_path / "e.zarr")["embedding"].dims[1] == "year"
    fill = ["reconstruct", files["nc"], str(tmp_path / "r.zarr"), *shared]
    assert cli.main(fill) == cli.OK
    assert "temperature" in xr.open_zarr(tmp_path / "r.zarr")


def test_check(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """Its exit code says whether a script may go on."""
    line = ["check", files["nc"], "--weights", files["weights"]]
    assert cli.main(line) == cli.OK
    assert "xstefaland: ready" in capsys.readouterr().out
    assert cli.main([*line, "--units", "precipitation=banana"]) == cli.PROBLEM
    assert "banana" in capsys.readouterr().out
    assert cli.main([*line, "--latitude=-45.5"]) == cli.OK  # what the error advises
    assert "Latitude  as given" in capsys.readouterr().out


def test_check_of_a_target(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """What commands write needs the encoder alone; a head is asked as it reads."""
    line = ["check", files["nc"], "--weights", files["weights"], "--target"]
    for target in ("embedding", "reconstruction"):
        assert cli.main([*line, target]) == cli.OK
        assert "xstefaland: ready" in capsys.readouterr().out
    causal = [*line, "streamflow", "--head", files["head"], "--causal"]
    assert cli.main(causal) == cli.PROBLEM
    assert "causal=True is not possible" in capsys.readouterr().out


def test_a_file_in_the_place_of_the_answer(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not lost, and a sentence says what to do."""
    out = tmp_path / "flow.nc"
    out.write_text("mine")
    assert cli.main(predict(files, out)) == cli.PROBLEM
    assert "is a file, and a Zarr store is a folder" in capsys.readouterr().err
    assert out.read_text() == "mine"


def test_climate(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A period goes as one, a file as the table it holds; anything else is said."""
    line = predict(files, tmp_path / "out.zarr", "--climate")
    assert cli.main([*line, "2001:2003"]) == cli.PROBLEM
    assert "climate=slice('2001', '2003') needs 3 complete" in capsys.readouterr().err
    table = example_points(4, 1200).pipe(xstefaland.derive_climate)
    table.to_netcdf(tmp_path / "climate.nc")
    assert cli.main([*line, str(tmp_path / "climate.nc")]) == cli.OK
    assert cli.main([*line, "none"]) == cli.PROBLEM
    assert "options.climate: 'Dataset " in capsys.readouterr().err
    check = ["check", files["nc"], "--climate", "summer"]
    assert cli.main(check) == cli.PROBLEM
    assert "cannot read 'summer'" in capsys.readouterr().err


def test_weights(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """List, show and fetch; show without a name says how."""
    assert cli.main(["weights", "list"]) == cli.OK
    name = xstefaland.weights.resolve_encoder().name
    assert name in capsys.readouterr().out
    assert cli.main(["weights", "list", "--names"]) == cli.OK
    listed = capsys.readouterr().out.split()
    assert listed == xstefaland.weights.list().name.tolist()
    assert cli.main(["weights", "show", files["head"]]) == cli.OK
    shown = capsys.readouterr().out
    assert shown == f"{xstefaland.weights.load(files['head'])!r}\n"
    assert "tiny-head: resconn head\n" in shown
    assert cli.main(["weights", "show", files["head"], "--json"]) == cli.OK
    card = json.loads(capsys.readouterr().out)
    assert card["targets"][0]["name"] == "streamflow"
    assert cli.main(["weights", "show"]) == cli.PROBLEM
    assert "weights show NAME" in capsys.readouterr().err
    assert cli.main(["weights", "fetch", name]) == cli.OK
    assert Path(capsys.readouterr().out.strip()).is_file()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            ["predict", "no.nc", "o.zarr", "--target", "streamflow"],
            "cannot read 'no.nc'",
        ),
        (["weights", "show", "nothing"], "no weights called 'nothing'"),
        (["weights", "list", "clay-v1"], "`xstefaland weights show clay-v1` shows one"),
        (["weights", "fetch", "nothing"], "no weights called 'nothing'"),
    ],
)
def test_problems_end_with_one_and_a_sentence(
    line: list[str],
    text: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No traceback, nothing on standard output."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(line) == cli.PROBLEM
    shown = capsys.readouterr()
    assert text in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_failed_regions_end_with_three(
    files: Files,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A script can tell them from data that cannot be used."""
    from xstefaland.store import handing

    def tear(writer: Any, number: int) -> None:
        raise OSError("the tape is torn")

    monkeypatch.setattr(handing.RegionWriter, "write", tear)
    assert cli.main(predict(files, tmp_path / "out.zarr")) == cli.FAILED_REGIONS
    assert "the tape is torn" in capsys.readouterr().err


def test_an_interrupt_ends_as_shells_expect(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C: 130, and no traceback."""
    from xstefaland.store import run

    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run", interrupt)
    assert cli.main(predict(files, tmp_path / "out.zarr")) == cli.INTERRUPTED


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["predikt"],
        ["predict", "in.nc"],
        ["predict", "in.nc", "out.zarr"],
        ["embed", "in.nc", "out.zarr"],
        ["embed", "in.nc", "out.zarr", "--pool", "week"],
        ["predict", "i", "o", "--target", "x", "--regions", "lat"],
        ["predict", "i", "o", "--target", "x", "--resume", "--restart"],
        ["predict", "i", "o", "--target", "x", "--in-flight", "0"],
        ["train", "pretrain", "data", "--folder", "f", "--steps", "ten"],
    ],
)
def test_usage_errors_end_with_two(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """As every Unix command does."""
    with pytest.raises(SystemExit) as ended:
        cli.main(line)
    assert ended.value.code == cli.USAGE
    assert "usage: xstefaland" in capsys.readouterr().err


def test_help_is_a_tutorial(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command is in the help, and every command line of it is understood."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert f"\n    {command.name}" in shown
    for text in [shown, *(command.more for command in cli.COMMANDS)]:
        for line in text.replace("\\\n", " ").splitlines():
            if line.strip().startswith("xstefaland "):
                cli._parser().parse_args(_words(line)[1:])


def _words(line: str) -> list[str]:
    import shlex

    return shlex.split(line, comments=True)


def test_help_loads_no_model() -> None:
    """It is there at once, without torch."""
    code = (
        "import contextlib, io, sys; from xstefaland.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try: main(['predict', '--help'])\n"
        "    except SystemExit: pass\n"
        "print('torch' in sys.modules, 'zarr' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


def test_texts_become_values() -> None:
    """Sizes, levels, names and pairs; what is not understood says how to write it."""
    assert sizes("lat=32, lon=4") == {"lat": 32, "lon": 4}
    assert pairs("rain=mm d-1") == {"rain": "mm d-1"}
    assert numbers("0.1,0.9") == [0.1, 0.9]
    assert names("streamflow, soil_moisture") == ["streamflow", "soil_moisture"]
    wrong = (sizes, "lat=x"), (pairs, "lat"), (numbers, "a"), (folds, "a"), (folds, "")
    for read, text in wrong:
        with pytest.raises(argparse.ArgumentTypeError, match="write"):
            read(text)


def test_run_errors_are_both_kinds() -> None:
    """`except RuntimeError` catches them, and they keep their report when pickled."""
    import pickle

    error = pickle.loads(pickle.dumps(RunError("two regions failed", {"left": 2})))
    assert isinstance(error, RuntimeError)
    assert (str(error), error.report) == ("two regions failed", {"left": 2})
