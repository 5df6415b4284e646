"""Heads: from embedding, forcing and attributes to targets, by day or by site."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from xstefaland.model.config import HeadConfig
from xstefaland.model.embedding import Dropout
from xstefaland.model.limits import Limited
from xstefaland.model.physics import HbvHead
from xstefaland.model.scaling import Scaling
from xstefaland.model.trunks import SPINUP_DAYS, TRUNKS, Features


class SequenceHead(Limited):
    """Regression of one or more targets, for each day or once for a site.

    With ``config.quantiles`` it gives these quantiles of each target, which never
    cross: the lowest, and steps upwards from it. With ``config.static`` the answer has
    no time and comes from the mean state of the days. With ``config.link="logit"``
    answers are probabilities, and `target_scaling` is that of their logits.

    Parameters
    ----------
    config : HeadConfig
        Form, inputs and targets.
    """

    def __init__(self, config: HeadConfig) -> None:
        count = len(config.targets)
        super().__init__(count, saved=True)
        self.config = config
        self.features = Features(config)
        sizes = self.features.forcing_size, self.features.attribute_size
        self.trunk = TRUNKS[config.kind](config, *sizes)
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(config.width, count * max(1, len(config.quantiles)))
        self.target_scaling = Scaling(count)

    def forward(
        self,
        embedding: Tensor,
        forcing: Tensor,
        attributes: Tensor,
        *,
        spinup_days: int = SPINUP_DAYS,
        maximum: Tensor | None = None,
    ) -> Tensor:
        """Predict.

        Parameters
        ----------
        embedding : Tensor
            Day tokens ``(B, T, d)``.
        forcing, attributes : Tensor
            Physical values ``(B, T, forcing)`` and ``(B, attribute)``, NaN = missing.
        spinup_days : int
            The recurrent part runs over this many first days (or the record, if
            shorter), then starts again with the state reached. With 0 it starts cold,
            and no day is given anything of the days after it.
        maximum : Tensor, optional
            Upper limits ``(B, target)`` of each site beside those of the head, such as
            the porosity for soil moisture; NaN where unknown.

        Returns
        -------
        Tensor
            Physical values ``(B, T, target)``, without ``T`` for a static head and
            with the quantiles as a last axis where there are any. Outside training
            they are within the target's limits.
        """
        series, static = self.features(forcing, attributes)
        spinup = min(spinup_days, forcing.shape[1])
        state = self.trunk(embedding, series, static, spinup)
        if self.config.static:
            state = state.mean(1)
        out = self._values(self.output(self.dropout(state)))
        if not self.training:
            out = self.within_limits(out, maximum)
        return out.transpose(-1, -2) if self.config.quantiles else out

    def _values(self, raw: Tensor) -> Tensor:
        """Turn what the network says into physical values ``(..., level?, target)``."""
        if self.config.quantiles:
            raw = raw.reshape(*raw.shape[:-1], len(self.config.quantiles), -1)
            steps = functional.softplus(raw[..., 1:, :])
            raw = torch.cat([raw[..., :1, :], steps], -2).cumsum(-2)
        values = self.target_scaling.inverse(raw)
        return values.sigmoid() if self.config.link == "logit" else values


def build_head(config: HeadConfig) -> SequenceHead | HbvHead:
    """Build the head that `config` describes."""
    return HbvHead(config) if config.physics == "hbv" else SequenceHead(config)
