"""The README's Python runs as it stands, on the example that ships."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from xstefaland.testing import example_gauges

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_every_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``basins.nc`` is the example, as weather services name things."""
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    names = {"precipitation": "pr", "temperature": "tas"}
    example_gauges(sites=2, days=500).rename(names).to_netcdf("basins.nc")
    blocks = BLOCK.findall(README.read_text(encoding="utf-8"))
    known: dict[str, Any] = {}
    for block in blocks:
        exec(block, known)
    assert len(blocks) == 2
    assert known["flow"].dims == ("site", "time")
    assert known["vectors"].dims == ("site", "embedding")
    from matplotlib import pyplot as plt

    assert plt.get_fignums()
    plt.close("all")
