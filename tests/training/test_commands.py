"""``xstefaland train``: from files to weights files."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

import xstefaland
from xstefaland import cli, weights
from xstefaland.testing import example_points, tiny_weights
from xstefaland.training.commands import _named


def test_a_head_from_a_file(tmp_path: Path, capsys):
    """The file that is printed answers; the same command finds it there."""
    ds = example_points(sites=4, days=500)
    ds["flow"] = (0.4 * ds.precipitation).assign_attrs(units="mm d-1")
    ds.to_netcdf(tmp_path / "mine.nc")
    encoder = tiny_weights(tmp_path / "encoder.safetensors")
    line = ["train", "finetune", str(tmp_path / "mine.nc"), "--target", "streamflow",
            "--observed", "flow", "--weights", str(encoder.path), "--updates", "2",
            "--head", "resconn-plain", "--device", "cpu", "--quiet",
            "--folder", str(tmp_path / "run"), "--name", "mine"]  # fmt: skip
    assert cli.main(line) == cli.OK
    path = capsys.readouterr().out.strip()
    assert path == str(tmp_path / "run" / "mine.safetensors")
    card = weights.load(path).card
    assert card.training["updates"] == 2
    flow = xstefaland.predict(ds, "streamflow", head=path, weights=encoder)
    assert bool(flow.notnull().all())
    assert cli.main(line) == cli.OK
    assert capsys.readouterr().out.strip() == path
    assert cli.main([*line[:3], "--target", "flow", *line[5:]]) == cli.PROBLEM
    assert "target='flow' is not known" in capsys.readouterr().err


def test_an_unknown_archive(tmp_path: Path, capsys):
    """Those that there are are named."""
    line = ["train", "pretrain", str(tmp_path), "--sources", "moon", "--steps", "1"]
    assert cli.main([*line, "--folder", str(tmp_path)]) == cli.PROBLEM
    assert "['moon'] are not known; there are camels-era5land" in (
        capsys.readouterr().err
    )


def test_sites_to_leave_out_are_named(tmp_path: Path, capsys):
    """An empty file is refused before anything is read."""
    path = tmp_path / "sites.txt"
    path.write_text("\n")
    line = ["train", "pretrain", str(tmp_path), "--steps", "1", "--folder",
            str(tmp_path), "--leave-out", str(path)]  # fmt: skip
    assert cli.main(line) == cli.PROBLEM
    assert "is empty; write a site on each line" in capsys.readouterr().err


def test_a_name_may_have_spaces(tmp_path: Path):
    """A site is a line: in two words it would be none, and stay in training."""
    (tmp_path / "sites.txt").write_text("Rio Claro\n\n 01013500 \n")
    assert _named(tmp_path / "sites.txt") == ("Rio Claro", "01013500")


@pytest.mark.slow
def test_an_encoder_from_an_archive(real_data: Path, tmp_path: Path, capsys):
    """Its file embeds, and says who was left out; the run is kept."""
    line = ["train", "pretrain", str(real_data), "--sources", "aemet", "--steps", "2",
            "--batch-size", "2", "--folder", str(tmp_path),
            "--leave-out", str(tmp_path / "sites.txt")]  # fmt: skip
    (tmp_path / "sites.txt").write_text("aemet_0076\naemet_0016A\n")
    assert cli.main(line) == cli.OK
    path = capsys.readouterr().out.strip()
    found = weights.load(path)
    assert {"aemet-aemet_0076", "aemet-aemet_0016A"} <= set(found.card.left_out)
    assert len(found.card.left_out) < 10
    assert (tmp_path / "run" / "checkpoint.pt").exists()
    ds = example_points(2, 400)
    assert isinstance(xstefaland.embed(ds, weights=found, pool="mean"), xr.DataArray)
