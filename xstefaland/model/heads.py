"""Heads: from embedding, forcing and attributes to targets, by day or by site."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from xstefaland.model.config import HeadConfig
from xstefaland.model.embedding import Dropout
from xstefaland.model.features import Features
from xstefaland.model.limits import Limited
from xstefaland.model.physics import HbvHead
from xstefaland.model.process import SPINUP_DAYS
from xstefaland.model.scaling import Scaling
from xstefaland.model.trunks import TRUNKS

FAR = 3.0
"""Deviations from the mean beyond which an attribute says no more of a site."""


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

    trunk_sees_attributes = True

    def __init__(self, config: HeadConfig) -> None:
        count = len(config.targets)
        super().__init__(count, saved=True)
        self.config = config
        self.features = Features(config)
        attributes = self.features.attribute_size * self.trunk_sees_attributes
        self.trunk = TRUNKS[config.kind](config, self.features.forcing_size, attributes)
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
        channels: Tensor | None = None,
        day_of_year: Tensor | None = None,
        latitude: Tensor | None = None,
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
        channels, day_of_year, latitude : Tensor, optional
            For heads with `channels` or `place`, see
            :class:`~xstefaland.model.features.Features`.

        Returns
        -------
        Tensor
            Physical values ``(B, T, target)``, without ``T`` for a static head and
            with the quantiles as a last axis where there are any. Outside training
            they are within the target's limits.
        """
        raw, static = self.raw(
            embedding,
            forcing,
            attributes,
            spinup_days=spinup_days,
            channels=channels,
            day_of_year=day_of_year,
            latitude=latitude,
        )
        out = self.values(raw, static)
        if not self.training:
            out = self.within_limits(out, maximum)
        return out.transpose(-1, -2) if self.config.quantiles else out

    def raw(
        self,
        embedding: Tensor,
        forcing: Tensor,
        attributes: Tensor,
        *,
        spinup_days: int,
        channels: Tensor | None,
        day_of_year: Tensor | None,
        latitude: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return what the network says ``(B, T?, level?, target)``, and the attributes.

        Arguments are those of :meth:`forward`; attributes are scaled features.
        """
        spinup = min(spinup_days, forcing.shape[1])
        series, static = self.features(
            forcing,
            attributes,
            spinup_days=spinup,
            channels=channels,
            day_of_year=day_of_year,
            latitude=latitude,
        )
        seen = static if self.trunk_sees_attributes else static[:, :0]
        state = self.trunk(embedding, series, seen, spinup)
        if self.config.static:
            state = state.mean(1)
        raw: Tensor = self.output(self.dropout(state))
        if self.config.quantiles:
            raw = raw.reshape(*raw.shape[:-1], len(self.config.quantiles), -1)
            steps = functional.softplus(raw[..., 1:, :])
            raw = torch.cat([raw[..., :1, :], steps], -2).cumsum(-2)
        return raw, static

    def values(self, raw: Tensor, static: Tensor) -> Tensor:
        """Turn what the network says into physical values of the same shape."""
        values = self.target_scaling.inverse(raw)
        return values.sigmoid() if self.config.link == "logit" else values


class AnomalyHead(SequenceHead):
    """A site's level and spread from few attributes, its anomalies from the weather.

    ``answer(t) = level + spread * anomaly(t)``

    The anomaly is standardised: of mean 0 and deviation 1 at every site. It comes from
    a recurrent network that sees no attribute. Level and spread are the mean and the
    deviation at a site, from one linear map each of its attributes: ``level = mean +
    std * (w x + b)`` and ``spread = std * exp(v x + c)``, where `mean` and `std` are
    those of all observations, and x the scaled attributes, kept within
    :data:`FAR` deviations; an attribute that is missing counts as average. So a
    network with many weights cannot learn the sites by heart from their attributes,
    and what a site is believed to be can be read off its attributes.

    Each is trained on its own part of the observations: the maps by ridge regression
    over sites (:func:`xstefaland.training.scaling.scale`), the network on standardised
    anomalies (:func:`xstefaland.training.losses.anomaly_loss`).

    Parameters
    ----------
    config : HeadConfig
        With ``form="anomaly"``; `attributes` are those of level and spread.
    """

    trunk_sees_attributes = False

    def __init__(self, config: HeadConfig) -> None:
        super().__init__(config)
        sizes = self.features.attribute_size, len(config.targets)
        self.level, self.log_spread = nn.Linear(*sizes), nn.Linear(*sizes)
        for layer in (self.level, self.log_spread):  # every site is an average one
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def statistics(self, static: Tensor) -> tuple[Tensor, Tensor]:
        """Return level and spread of each site, physical values ``(B, target)``.

        Parameters
        ----------
        static : Tensor
            Features of the attributes ``(B, attribute_size)``.
        """
        near = static.clamp(-FAR, FAR)
        level = self.target_scaling.inverse(self.level(near))
        return level, self.target_scaling.std * self.log_spread(near).exp()

    def values(self, raw: Tensor, static: Tensor) -> Tensor:
        """Put level, spread and anomaly together."""
        between = (1,) * (raw.ndim - 2)
        level, spread = (
            each.reshape(len(each), *between, -1) for each in self.statistics(static)
        )
        return level + spread * raw


def build_head(config: HeadConfig) -> SequenceHead | HbvHead:
    """Build the head that `config` describes."""
    if config.physics == "hbv":
        return HbvHead(config)
    return AnomalyHead(config) if config.form == "anomaly" else SequenceHead(config)
