r"""Skill scores on labelled arrays.

Every score takes observations and simulations as DataArrays and reduces `dim`,
by default ``"time"``. Pairs with a missing value on either side are left out.
Dims that only one of the two has (quantiles, members) are broadcast. Lazy arrays
give a lazy score. Arithmetic is in float64. A score that is not defined (no pair,
constant observations) is NaN, never infinite; :func:`summary` counts them.

In the equations :math:`o` and :math:`s` are paired observations and simulations,
:math:`\bar o, \bar s` their means and :math:`\sigma_o, \sigma_s` their population
standard deviations. Errors are simulation minus observation. Volume scores follow
the conventions of Yilmaz et al. (2008) where a note does not say otherwise.

======================================= ==============================================
of                                      scores
======================================= ==============================================
deviations, in units of `obs`           `bias`, `mae`, `mse`, `rmse`, `ubrmse`
relative to the observations            `nse`, `r2`, `kge`, `kge_2012`, `corr`,
                                        `spearman`, `alpha_nse`, `beta_nse`,
                                        `beta_kge`, `pbias`
the flow duration curve                 `fhv`, `flv`, `flv_log`, `fms`, `rmse_fdc`
floods                                  `peak_timing`, `peak_mape`, `missed_peaks`
quantiles and ensembles                 `pinball`, `crps_quantiles`, `crps_ensemble`,
                                        `coverage`
probabilities of yes or no              `auc`, `average_precision`, `brier`, `f1`
======================================= ==============================================

References
----------
Gupta et al. (2009), https://doi.org/10.1016/j.jhydrol.2009.08.003
Kling et al. (2012), https://doi.org/10.1016/j.jhydrol.2012.01.011
Nash and Sutcliffe (1970), https://doi.org/10.1016/0022-1694(70)90255-6
Yilmaz et al. (2008), https://doi.org/10.1029/2007WR006716
"""

from __future__ import annotations

from xstefaland.metrics.deviations import bias, mae, mse, pbias, rmse, ubrmse
from xstefaland.metrics.duration import fhv, flv, flv_log, fms, rmse_fdc
from xstefaland.metrics.efficiency import (
    alpha_nse,
    beta_kge,
    beta_nse,
    corr,
    kge,
    kge_2012,
    nse,
    r2,
    spearman,
)
from xstefaland.metrics.events import auc, average_precision, brier, f1
from xstefaland.metrics.floods import missed_peaks, peak_mape, peak_timing
from xstefaland.metrics.spread import coverage, crps_ensemble, crps_quantiles, pinball
from xstefaland.metrics.table import scores, summary

__all__ = [
    "alpha_nse",
    "auc",
    "average_precision",
    "beta_kge",
    "beta_nse",
    "bias",
    "brier",
    "corr",
    "coverage",
    "crps_ensemble",
    "crps_quantiles",
    "f1",
    "fhv",
    "flv",
    "flv_log",
    "fms",
    "kge",
    "kge_2012",
    "mae",
    "missed_peaks",
    "mse",
    "nse",
    "pbias",
    "peak_mape",
    "peak_timing",
    "pinball",
    "r2",
    "rmse",
    "rmse_fdc",
    "scores",
    "spearman",
    "summary",
    "ubrmse",
]
