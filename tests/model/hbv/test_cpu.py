"""The parts of the CPU kernel: elementary functions, compilation, threads."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

numba = pytest.importorskip("numba")

from xstefaland.model.hbv import simulate_lean  # noqa: E402
from xstefaland.model.hbv.cpu import compiling, elementary  # noqa: E402


@numba.njit(error_model="numpy")
def _exponential(x, y):
    for i in range(x.size):
        y[i] = elementary.exponential(x[i])


@numba.njit(error_model="numpy")
def _logarithm(x, y):
    for i in range(x.size):
        y[i] = elementary.logarithm(x[i])


def _units(found: np.ndarray, exact: np.ndarray) -> float:
    """Largest error in units in the last place of a float32."""
    return float(np.max(abs(found - exact) / np.spacing(abs(exact).astype("f4"))))


def test_exponential_is_good_to_the_last_place():
    """Below two units in the last place from 1e-37 to 1e37, and exactly 1 at 0."""
    x = np.linspace(-85, 85, 200_001, dtype="f4")
    y = np.empty_like(x)
    _exponential(x, y)
    assert _units(y, np.exp(x.astype("f8"))) < 2
    _exponential(np.zeros(1, "f4"), y)
    assert y[0] == 1


def test_logarithm_is_good_to_the_last_place():
    """Below one unit in the last place, also near 1, and exactly 0 there."""
    for low, high in ((1e-9, 1e-3), (1e-3, 1), (0.99, 1.01), (1, 1e4)):
        x = np.linspace(low, high, 100_001, dtype="f4")
        x = x[x != 1]
        y = np.empty_like(x)
        _logarithm(x, y)
        assert _units(y, np.log(x.astype("f8"))) < 1
    _logarithm(np.ones(1, "f4"), y)
    assert y[0] == 0


@pytest.mark.parametrize("function", [_exponential, _logarithm])
def test_not_a_number_stays_so(function):
    """Broken numbers must not come back whole."""
    y = np.zeros(1, "f4")
    function(np.array([np.nan], "f4"), y)
    assert np.isnan(y[0])


def test_float64_is_that_of_the_c_library():
    """Double precision takes no polynomial."""
    x = np.linspace(0.1, 9, 1001)
    y = np.empty_like(x)
    _exponential(x, y)
    np.testing.assert_array_max_ulp(y, np.exp(x), 1)


def test_a_stale_kernel_is_compiled_anew(tmp_path):
    """What was compiled before a source changed goes; what came after stays."""
    source, old, new = (tmp_path / n for n in ("a.py", "k.run-1.nbi", "k.run-2.nbi"))
    for age, path in enumerate((new, source, old)):
        path.touch()
        os.utime(path, (1e9 - age, 1e9 - age))
    compiling.drop_stale(tmp_path, "run", [source])
    assert new.exists()
    assert not old.exists()


def test_compilation_is_announced(caplog):
    """A kernel that does not know a kind of number yet says what takes so long."""

    @numba.njit
    def kernel(first, last, x):
        return x[0]

    with caplog.at_level(logging.INFO, "xstefaland"):
        compiling.announce(kernel, "float32")
        kernel(0, 1, np.ones(1, "f4"))
        compiling.announce(kernel, "float32")
    assert [r.getMessage().split(":")[0] for r in caplog.records] == [
        "preparing kernel for float32"
    ]


def test_many_threads_may_call_at_once(basins):
    """Runs from several threads, as a scheduler makes them, stay apart."""
    made = [basins(days=60, sites=30, seed=seed) for seed in range(8)]
    alone = [simulate_lean(**m.lean(backend="numba")).streamflow for m in made]
    with ThreadPoolExecutor(4) as pool:
        runs = pool.map(lambda m: simulate_lean(**m.lean(backend="numba")), made)
        together = [fluxes.streamflow for fluxes in runs]
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
