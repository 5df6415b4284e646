"""A bar for eager calls that take long, in terminals alone."""

from __future__ import annotations

import io
from typing import Any

import pytest

import xstefaland
from xstefaland import set_options
from xstefaland.inference import progress
from xstefaland.testing import example_points


class Terminal(io.StringIO):
    """What is written to the screen."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal, to be put in the place of stderr; bars appear at once."""
    terminal = Terminal()
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)
    return terminal


def test_eager_calls_show_a_bar(screen: Terminal, weights: Any) -> None:
    """All windows are announced and counted."""
    ds = example_points(2, 90)
    progress.expect(5)  # outside of a call there is no bar, and no harm
    seen: list[tuple[int, int]] = []
    step = progress.step

    def watch(count: int) -> None:
        step(count)
        seen.append((progress._BAR.get().n, progress._BAR.get().total))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", screen)  # pytest has its own until here
        patch.setattr(progress, "step", watch)
        xstefaland.embed(ds, weights=weights, batch_size=1)
    assert "xstefaland" in screen.getvalue()
    total = len(seen)
    assert total > 2
    assert seen == [(n, total) for n in range(1, total + 1)]
    assert progress._BAR.get() is None


@pytest.mark.parametrize("how", ["option", "lazy", "short", "file"])
def test_quiet(
    how: str, screen: Terminal, weights: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When asked, when dask computes, when it is quick, when nobody looks."""
    ds = example_points(2, 60)
    if how == "short":
        monkeypatch.setattr(progress, "DELAY", 3.0)
    if how == "file":
        monkeypatch.setattr(screen, "isatty", lambda: False)
    monkeypatch.setattr("sys.stderr", screen)
    with set_options(progress=how != "option"):
        answer = xstefaland.embed(
            ds.chunk(site=1) if how == "lazy" else ds, weights=weights
        )
        answer.compute()
    assert screen.getvalue() == ""


def test_the_bar_goes_when_a_call_fails(screen: Terminal) -> None:
    """The next call begins with its own."""
    with pytest.raises(KeyError), progress.bar():
        raise KeyError("inside")
    assert progress._BAR.get() is None
