"""Boxes, bars and the figure of missing inputs say what is in the data."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from xstefaland import plotting as p
from xstefaland.errors import InputError
from xstefaland.testing import example_points, tiny_weights


def test_boxes_are_quartiles_of_each_system() -> None:
    """In the order of the dim; missing scores are left out, medians in figures."""
    rng = np.random.default_rng(0)
    nse = xr.DataArray(
        rng.normal(0.5, 0.2, (2, 40)),
        dims=("system", "site"),
        coords={"system": ["ours", "LSTM"]},
        attrs={"long_name": "Nash-Sutcliffe efficiency"},
    )
    nse[1, :5] = np.nan
    ax = p.box(nse)
    tall = [np.ptp(each.get_ydata()) for each in ax.get_lines()[::6]]
    assert len(tall) == 2
    medians = [float(text.get_text()) for text in ax.texts]
    np.testing.assert_allclose(medians, nse.median("site"), atol=0.005)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["ours", "LSTM"]
    assert ax.get_ylabel() == "Nash-Sutcliffe efficiency"
    whisker = ax.get_lines()[1].get_ydata()
    assert np.isclose(whisker.max(), np.quantile(nse[0], 0.25))
    same = p.box({"ours": nse[0], "LSTM": nse[1]})
    assert [t.get_text() for t in same.texts] == [t.get_text() for t in ax.texts]


def test_box_needs_its_dim() -> None:
    """The error shows the other way."""
    with pytest.raises(InputError, match=r"'system' is not among them.*mapping"):
        p.box(xr.DataArray([1.0], dims="site"))


def test_explanation_sorts_by_size() -> None:
    """The longest bar is last, that is on top; the dot has the sign."""
    change = xr.DataArray(
        [[1.0, -3.0, 0.1], [1.0, -5.0, -0.1]],
        dims=("site", "hidden"),
        coords={"hidden": ["soil", "shortwave_radiation", "geology"]},
        attrs={"long_name": "change of streamflow", "units": "mm d-1"},
    )
    ax = p.explanation(change)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["geology", "soil", "shortwave radiation"]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [0.1, 1, 4])
    dots = ax.get_lines()[0].get_xdata()
    np.testing.assert_allclose(dots, [0, 1, -4], atol=1e-12)
    assert ax.get_xlabel() == "mean change of streamflow\n[mm d⁻¹]"
    with pytest.raises(InputError, match="'hidden' is not among them"):
        p.explanation(change.isel(hidden=0))


def test_missing_inputs_are_counted_and_named() -> None:
    """The bars of a group add up to its variables; the names are the missing ones."""
    ds = example_points(2, 40).drop_vars(["shortwave_radiation", "slope"])
    ax = p.missing_inputs(ds.stefaland.check(weights=tiny_weights()))
    groups = [label.get_text() for label in ax.get_yticklabels()]
    assert groups == ["forcing", "topography", "soil", "vegetation"]
    total = dict.fromkeys(groups, 0.0)
    for bar in ax.patches:
        total[groups[round(bar.get_y() + 0.4)]] += bar.get_width()
    assert list(total.values()) == [3, 2, 1, 1]
    named = [text.get_text() for text in ax.texts]
    assert named == ["shortwave_radiation", "slope", "", ""]
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert shown == ["given", "missing"]
    assert ds.stefaland.missing_inputs(weights=tiny_weights()).texts[1].get_text() == (
        "slope"
    )
