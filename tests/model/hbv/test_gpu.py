"""The GPU kernels: on a GPU, else in triton's interpreter on small basins."""

from __future__ import annotations

import importlib.util
import os

import pytest
import torch

if importlib.util.find_spec("triton") is None:
    pytest.skip("the GPU kernels need triton", allow_module_level=True)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":  # read while triton is imported
    os.environ["TRITON_INTERPRET"] = "1"

from xstefaland.model.hbv import simulate_lean  # noqa: E402
from xstefaland.model.hbv.results import SERIES  # noqa: E402


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"warmup": 10},
        {"routing": False},
        {"component_weights": "daily"},
        {"component_weights": "constant"},
        {"dynamic_dropout": 1.0},
        {"dynamic": (), "dynamic_logits": None},
        {"version": "1.0"},
    ],
)
def test_equals_reference(basins, options):
    """All series, states and gradients are those of the plain equations."""
    dynamic = 0 if options.get("dynamic") == () else 3
    made = basins(days=24, sites=5, components=3, dynamic=dynamic)
    if options.get("version") == "1.0":
        made.static = torch.cat([made.static[:, :30], made.static[:, -2:]], dim=1)
    shape = {"daily": (24, 5, 3), "constant": (5, 3)}
    kind = options.get("component_weights")
    if kind:
        options = {"component_weights": torch.rand(shape[kind], dtype=torch.float64)}
    results = {}
    for backend in ("reference", "triton"):
        given = made.lean(**options)
        given |= {k: v.to(DEVICE) for k, v in given.items() if torch.is_tensor(v)}
        wanted = [v.requires_grad_() for v in given.values() if torch.is_tensor(v)]
        wanted = [v for v in wanted if v.numel()]
        fluxes = simulate_lean(**given, backend=backend)
        outputs = [getattr(fluxes, name) for name in SERIES]
        outputs.append(fluxes.states.stores())
        waves = [torch.arange(o.numel()).cos().view_as(o).to(o) for o in outputs]
        score = sum((o * w).sum() for o, w in zip(outputs, waves, strict=True))
        results[backend] = [*outputs, *torch.autograd.grad(score, wanted)]
    for mine, theirs in zip(results["triton"], results["reference"], strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)


def test_float32_is_close(basins):
    """Single precision follows double precision to 2e-5 mm/d."""
    flows = []
    for dtype in (torch.float32, torch.float64):
        given = basins(days=24, components=4).lean(backend="triton")
        given |= {
            k: v.to(DEVICE, dtype) for k, v in given.items() if torch.is_tensor(v)
        }
        flows.append(simulate_lean(**given).streamflow.double())
    assert (flows[0] - flows[1]).abs().max() < 2e-5
