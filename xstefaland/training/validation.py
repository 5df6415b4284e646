"""How a run does at held-out places: fixed windows, fixed masks, a few numbers.

What :mod:`xstefaland.training.evaluation` measures is said in physical units and takes
minutes; this takes seconds and is for learning curves.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import EncoderConfig, StefaLand
from xstefaland.model.process import MEMORY
from xstefaland.training.corpus import Batch, Corpus, masks
from xstefaland.training.epochs import Epochs
from xstefaland.training.masking import Masking, family_of
from xstefaland.training.memory import ReadOut, Targets
from xstefaland.training.pretraining import Pretraining, encode, roles
from xstefaland.training.rendering import Rendering, Shown, render

HIDING = Rendering(
    short_windows=0.0,
    stretch_share=0.0,
    thin=0.0,
    masking=Masking(
        untouched=0.0,
        drop_forcing=0.0,
        one_by_one=0.0,
        drop_attributes=0.0,
        drop_climate=0.0,
        drop_latitude=0.0,
    ),
)
"""Half of the days of every family, and half of the groups of attributes."""

NAMED = (
    "precipitation_30d",
    "precipitation_365d",
    "potential_evapotranspiration_30d",
    "snowfall_60d",
    "degree_day_snow",
    "streamflow_00",
    "soil_water_00",
    "lower_zone_storage_00",
)
"""Memory targets that are scored one by one, beside the mean over all."""


class HeldOut:
    """Windows of held-out sites, the same at every look.

    Parameters
    ----------
    corpus : Corpus
        Where they come from.
    settings : Pretraining
        Which places are held out, and the arithmetic of the forward pass.
    windows : int
        Of each source that has held-out sites.
    seed : int
        Of the draw of windows and masks.
    """

    def __init__(
        self,
        corpus: Corpus,
        settings: Pretraining,
        *,
        windows: int = 16,
        seed: int = 0,
    ) -> None:
        self.corpus, self.low = corpus, settings.precision == "bfloat16"
        self.targets = Targets(corpus) if settings.memory_weight > 0 else None
        held = masks(corpus, roles(corpus, settings), ["held out"])
        days = settings.model.get("window", EncoderConfig.window)
        epochs = Epochs(corpus, held, window=days, size=windows, windows=windows)
        groups = [str(CATALOGUE[name].group) for name in corpus.attributes]
        self.complete: list[Shown] = []
        self.hidden: list[Shown] = []
        for number, (name, sites) in enumerate(epochs.sites.items()):
            rng = np.random.default_rng([seed, number])
            rows = rng.choice(sites, windows, replace=len(sites) < windows)
            shard, length = corpus.shards[name], epochs.days[name]
            starts = np.array([rng.choice(shard.starts(row, length)) for row in rows])
            batch = corpus.batch(name, rows, starts, length)
            self.complete.append(_open(batch))
            self.hidden.append(
                render(batch, corpus.forcing, groups, corpus.climate, HIDING, rng)
            )

    @torch.inference_mode()
    def scores(
        self, model: StefaLand, read_out: ReadOut | None = None, *, causal: bool = False
    ) -> dict[str, float]:
        """Score a model as it stands.

        Parameters
        ----------
        model : StefaLand
            In training or evaluation mode, which it keeps.
        read_out : ReadOut, optional
            What gives memory targets; without it they are not scored.
        causal : bool
            Read the windows causally.

        Returns
        -------
        dict
            ``hidden_<family>``: mean squared error of hidden scaled values, by the
            first member of the family; ``hidden_attributes`` likewise.
            ``complete_<target>`` and ``masked_<target>``: R2 of :data:`NAMED` from
            complete windows and from those with half hidden, and ``..._memory``, the
            mean over all targets.
        """
        training = model.training
        model.eval()
        found = self._reconstruction(model, causal)
        if read_out is not None and self.targets is not None:
            for prefix, shown in (("complete", self.complete), ("masked", self.hidden)):
                r2 = self._remembered(model, read_out, self.targets, shown, causal)
                found |= {f"{prefix}_{n}": float(r2[MEMORY.index(n)]) for n in NAMED}
                found[f"{prefix}_memory"] = float(r2.nanmean())
        model.train(training)
        return found

    def _reconstruction(self, model: StefaLand, causal: bool) -> dict[str, float]:
        """Mean squared error of what is hidden, by family and of attributes."""
        errors: dict[str, list[Tensor]] = defaultdict(list)
        for shown in self.hidden:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
                series, static = model.decode(encode(model, shown, causal))
            truth = model.forcing_scaling(torch.from_numpy(shown.batch.forcing))
            square = (series.float() - truth).square()
            square[~torch.from_numpy(shown.forcing_mask)] = torch.nan
            for column, name in enumerate(self.corpus.forcing):
                errors[f"hidden_{family_of(name)[0]}"].append(square[..., column])
            truth = model.attribute_scaling(torch.from_numpy(shown.batch.attributes))
            square = (static.float() - truth).square()
            square[~torch.from_numpy(shown.attribute_mask)] = torch.nan
            errors["hidden_attributes"].append(square)
        return {
            name: float(torch.cat([part.flatten() for part in parts]).nanmean())
            for name, parts in errors.items()
        }

    def _remembered(
        self,
        model: StefaLand,
        read_out: ReadOut,
        targets: Targets,
        windows: list[Shown],
        causal: bool,
    ) -> Tensor:
        """R2 of each memory target over all windows."""
        truth, guess = [], []
        for shown in windows:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
                given = read_out(encode(model, shown, causal))
            guess.append(given.float().flatten(0, 1))
            truth.append(read_out.scaling(targets.of(shown.batch)).flatten(0, 1))
        wanted = torch.cat(truth)
        error = (torch.cat(guess) - wanted).square()
        spread = (wanted - wanted.nanmean(0)).square()
        return 1 - error.nanmean(0) / spread.nanmean(0)


def _open(batch: Batch) -> Shown:
    """Show a batch with nothing hidden."""
    return Shown(
        batch,
        np.zeros(batch.forcing.shape, bool),
        np.zeros(batch.attributes.shape, bool),
    )
