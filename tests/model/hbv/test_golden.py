"""HBV against numbers of the authors' implementation (tests/golden/hbv)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from xstefaland.model.hbv import Fluxes, simulate
from xstefaland.model.hbv.parameters import NAMES

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "hbv"
CASES = json.loads((FOLDER / "golden.json").read_text())["cases"]
PEER_NAMES = dict(zip(CASES["small_allvary_dynall"]["param_order"], NAMES, strict=True))
OUTPUTS = {
    "out_streamflow": "streamflow",
    "out_srflow": "surface_runoff",
    "out_ssflow": "interflow",
    "out_gwflow": "baseflow",
    "out_AET_hydro": "evapotranspiration",
    "out_PET_hydro": "potential_evapotranspiration",
    "out_SWE": "snowpack",
    "out_streamflow_no_rout": "streamflow_unrouted",
    "out_srflow_no_rout": "surface_runoff_unrouted",
    "out_ssflow_no_rout": "interflow_unrouted",
    "out_gwflow_no_rout": "baseflow_unrouted",
    "out_recharge": "recharge",
    "out_excs": "excess",
    "out_evapfactor": "evapotranspiration_factor",
    "out_tosoil": "to_soil",
    "out_percolation": "percolation",
    "out_capillary": "capillary_rise",
    "out_BFI": "baseflow_index",
}
STATES = {
    "state_final_SNOWPACK": "snowpack",
    "state_final_MELTWATER": "meltwater",
    "state_final_SM": "soil_moisture",
    "state_final_SUZ": "upper_zone",
    "state_final_SLZ": "lower_zone",
}
GRADIENTS = ("grad_sum_q", "grad_weighted_q", "grad_sum_q_noroute", "grad_sum_aet")


class Case:
    """One golden case: its inputs, and a run of it."""

    def __init__(self, name: str, dtype: torch.dtype, backend: str):
        self.card = CASES[name]
        inputs = np.load(FOLDER / self.card["inputs"])
        self.expected = np.load(FOLDER / self.card["files"]["f64"])
        self.logits = torch.tensor(inputs["raw_params"], dtype=dtype)
        self.forcing = torch.tensor(inputs["x_phy"], dtype=dtype)
        self.weights = None
        if "muwts" in inputs:
            self.weights = torch.tensor(inputs["muwts"], dtype=dtype)
        self.dtype, self.backend = dtype, backend

    def run(self) -> Fluxes:
        """Run the case; its logits want a gradient."""
        self.logits = self.logits.detach().requires_grad_()
        return simulate(
            self.forcing,
            self.logits,
            components=self.card["nmul"],
            dynamic=[PEER_NAMES[n] for n in self.card["dynamic_params"]],
            warmup=self.card["config"]["warm_up"],
            component_weights=self.weights,
            version="1.0" if self.card["peer_class"] == "Hbv" else "1.1",
            backend=self.backend,
        )

    def results(self) -> dict[str, np.ndarray]:
        """Every number of the golden file, computed here."""
        fluxes = self.run()
        found = {k: getattr(fluxes, OUTPUTS[k]) for k in OUTPUTS if k in self.expected}
        found |= {k: getattr(fluxes.states, v) for k, v in STATES.items()}
        found |= {name: self.gradient(name) for name in GRADIENTS}
        return {
            k: v.detach().double().numpy().reshape(self.expected[k].shape)
            for k, v in found.items()
        }

    def gradient(self, name: str) -> torch.Tensor:
        """Gradient of one scalar by the logits."""
        fluxes = self.run()
        cotangent = torch.tensor(
            self.expected["w_streamflow"][..., 0], dtype=self.dtype
        )
        scalar = {
            "grad_sum_q": fluxes.streamflow,
            "grad_weighted_q": fluxes.streamflow * cotangent,
            "grad_sum_q_noroute": fluxes.streamflow_unrouted,
            "grad_sum_aet": fluxes.evapotranspiration,
        }[name].sum()
        return torch.autograd.grad(scalar, self.logits)[0]


def _distance(found: np.ndarray, expected: np.ndarray) -> float:
    """Relative L2 distance; the largest value where the expected one is zero."""
    size = float(np.linalg.norm(expected))
    return float(np.linalg.norm(found - expected)) / size if size else abs(found).max()


@pytest.mark.parametrize("name", CASES)
def test_float64_is_exact(name, backend):
    """All outputs, states and gradients agree to 1e-12."""
    case = Case(name, torch.float64, backend)
    found = case.results()
    compared = {k for k in case.expected if k.startswith(("out", "state", "grad"))}
    assert set(found) == compared
    wrong = {
        k: d for k, v in found.items() if (d := _distance(v, case.expected[k])) > 1e-12
    }
    assert not wrong


@pytest.mark.parametrize("name", CASES)
def test_float32_is_as_good_as_the_original(name, backend):
    """Flow to 2e-5 mm/d, the rest within three times the original's own error."""
    case = Case(name, torch.float32, backend)
    found = case.results()
    flow = abs(found["out_streamflow"] - case.expected["out_streamflow"]).max()
    assert flow <= 2e-5
    limits = {k: 3 * v["rel_l2"] for k, v in case.card["f32_vs_f64"].items()}
    wrong = {
        k: (d, limit)
        for k, limit in limits.items()
        if (d := _distance(found[k], case.expected[k])) > max(limit, 1e-12)
    }
    assert not wrong


def test_all_cases_are_there():
    """Nine cases of two versions, with and without warm-up and weights."""
    assert len(CASES) == 9
    assert {case["peer_class"] for case in CASES.values()} == {"Hbv", "Hbv_1_1p"}
