"""The accessor forwards, shows a report, computes nothing, raises nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import xstefaland
from xstefaland.accessor import CALLS, StefaLandDataset
from xstefaland.errors import InputError, WeightsError
from xstefaland.inference import api, chunks, explaining
from xstefaland.testing import example_grid, example_points, tiny_head, tiny_weights


@pytest.fixture(scope="module")
def weights() -> Any:
    """A small encoder."""
    return tiny_weights(window=40, stride=15)


@pytest.mark.parametrize(
    "name", ["check", "embed", "explain", "predict", "reconstruct", "unseen"]
)
def test_methods_have_the_functions_arguments(name: str) -> None:
    """Same names, order and defaults as the plain function."""
    function = inspect.signature(getattr(xstefaland, name)).parameters
    method = inspect.signature(getattr(StefaLandDataset, name)).parameters
    assert [(n, p.default, p.kind) for n, p in list(function.items())[1:]] == [
        (n, p.default, p.kind) for n, p in list(method.items())[1:]
    ]


def test_methods_forward(weights: Any) -> None:
    """Each gives what the function gives."""
    ds = example_points(2, 50)
    head = tiny_head(weights)
    options: dict[str, Any] = {"weights": weights}

    def equal(a: Any, b: Any) -> None:
        xr.testing.assert_allclose(a, b)
        assert type(a) is type(b)

    equal(ds.stefaland.embed(**options), xstefaland.embed(ds, **options))
    equal(
        ds.stefaland.predict(["streamflow"], head=head, **options),
        xstefaland.predict(ds, ["streamflow"], head=head, **options),
    )
    equal(ds.stefaland.reconstruct(**options), xstefaland.reconstruct(ds, **options))
    assert str(ds.stefaland.check(**options)) == str(xstefaland.check(ds, **options))
    assert ds.stefaland.suggest_chunks("1 MB", "cpu", **options) == (
        chunks.suggest_chunks(ds, "1 MB", "cpu", **options)
    )
    frame = ds.stefaland.embed(pool="mean", **options).stefaland.to_frame()
    assert frame.shape == (2, 16)


def test_in_place_changes_are_seen(weights: Any) -> None:
    """The accessor holds no state: a changed Dataset gives a changed answer."""
    ds = example_points(1, 40)
    before = ds.stefaland.embed(weights=weights)
    ds["temperature"] += 10
    after = ds.stefaland.embed(weights=weights)
    assert np.abs(after - before).max() > 1e-3


def of_weights(monkeypatch: pytest.MonkeyPatch, weights: Any) -> None:
    """Make `weights` the default encoder."""
    resolve = api.plan_encoder
    monkeypatch.setattr(
        api, "plan_encoder", lambda given, **how: resolve(given or weights, **how)
    )


def test_repr_shows_the_report(
    weights: Any,
    monkeypatch: pytest.MonkeyPatch,
    no_compute: Callable[[], Any],
) -> None:
    """Text and HTML name variables and problems, and nothing is computed."""
    of_weights(monkeypatch, weights)
    grid = example_grid(days=30).chunk(lat=1)
    del grid.temperature.attrs["units"]
    with no_compute():
        text, html = repr(grid.stefaland), grid.stefaland._repr_html_()
    for shown in (text, html):
        assert "shortwave_radiation" in shown
        assert "no units stated for" in shown
    assert html.startswith("<div")


@pytest.mark.parametrize(
    "ds",
    [
        xr.Dataset(),
        xr.Dataset({"name": ("x", ["a", "b"])}),
        xr.Dataset({"pr": (("time", "a", "b", "c"), np.zeros((2, 1, 1, 1)))}),
        example_points(2, 10).isel(site=[]),
        example_points(2, 10).isel(time=[]),
    ],
    ids=["empty", "text", "four-dims", "no-site", "no-day"],
)
def test_repr_never_raises(
    ds: xr.Dataset, weights: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the Dataset holds, it can be shown."""
    of_weights(monkeypatch, weights)
    assert "problem" in repr(ds.stefaland)
    assert "problem" in ds.stefaland._repr_html_()


def test_repr_without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that cannot be had are a problem in the report."""

    def refuse(given: Any, **how: Any) -> None:
        raise WeightsError("the file cannot be had")

    monkeypatch.setattr(api, "plan_encoder", refuse)
    ds = example_points(1, 10)
    assert "the file cannot be had" in repr(ds.stefaland)
    assert "the file cannot be had" in ds.stefaland._repr_html_()


def test_check_raises_nothing(weights: Any) -> None:
    """An unknown target and a head for another encoder are problems in the report."""
    ds = example_points(1, 10)
    report = xstefaland.check(ds, "snow", weights=weights)
    assert not report.ok
    assert "'snow'" in report.problems[0]
    other = tiny_head(tiny_weights(seed=4))
    report = xstefaland.check(ds, "streamflow", head=other, weights=weights)
    assert "head and encoder do not match" in report.problems[0]


def test_check_of_a_target(weights: Any) -> None:
    """The head's inputs are in the table."""
    head = tiny_head(weights, masked_inputs=["clay"])
    report = xstefaland.check(
        example_points(1, 10), "streamflow", head=head, weights=weights
    )
    assert report.ok
    how = dict(zip(report.table["name"], report.table["how"], strict=True))
    assert how["clay"] == "hidden"
    assert how["precipitation"] == "name"


METHODS = [
    "check",
    "embed",
    "explain",
    "missing_inputs",
    "predict",
    "reconstruct",
    "run",
    "suggest_chunks",
    "unseen",
]


def test_every_method_of_a_dataset_is_named() -> None:
    """A new method of Datasets must be told to callers from other objects."""
    public = [name for name in vars(StefaLandDataset) if not name.startswith("_")]
    assert sorted(public) == sorted(METHODS) == sorted(CALLS)


@pytest.mark.parametrize("method", METHODS)
def test_dataarray_says_what_to_do(method: str) -> None:
    """A DataArray has no models' methods; the text has the call that works."""
    rain = example_points(1, 10).precipitation.rename("rain")
    message = rf'da\.to_dataset\(name="rain"\).*\.stefaland\.{method}\('
    with pytest.raises(InputError, match=message):
        getattr(rain.stefaland, method)
    with pytest.raises(InputError, match='name="precipitation"'):
        getattr(rain.rename(None).stefaland, method)
    assert not hasattr(rain.stefaland, method)


def quoted(tree: xr.DataTree, method: str) -> str:
    """The call that a tree's error shows."""
    with pytest.raises(InputError, match="not a DataTree") as caught:
        getattr(tree.stefaland, method)
    return str(caught.value).split("`")[3]


@pytest.mark.parametrize("method", METHODS)
def test_datatree_says_what_to_do(
    method: str,
    weights: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The call that the text shows runs as it stands and has an answer per Dataset."""
    monkeypatch.chdir(tmp_path)  # `run` writes
    if not hasattr(xr, "register_datatree_accessor"):
        pytest.skip("this xarray has no accessors of DataTree")
    of_weights(monkeypatch, weights)
    monkeypatch.setattr(chunks, "plan_encoder", api.plan_encoder)
    resolve = api.plan_predictions
    head = tiny_head(weights)
    for room in (api, explaining):
        monkeypatch.setattr(
            room,
            "plan_predictions",
            lambda names, *_, **__: resolve(names, head, weights),
        )
    points = example_points(2, 45)
    dt = xr.DataTree.from_dict({"/north": points, "/south/west": points})
    answer = eval(quoted(dt, method), {"dt": dt})
    paths = ["/north", "/south/west"]
    found = answer if isinstance(answer, dict) else {n.path: n for n in answer.leaves}
    assert sorted(found) == paths
    if method == "predict":
        assert np.isfinite(found["/north"]["streamflow"]).all()


def test_other_names_are_plain_attribute_errors() -> None:
    """A slip of the pen is no question about Datasets."""
    rain = example_points(1, 10).precipitation
    with pytest.raises(AttributeError, match="DataArray has no 'predikt'"):
        _ = rain.stefaland.predikt
    tree = xr.DataTree.from_dict({"/a": example_points(1, 10)})
    with pytest.raises(AttributeError, match="predikt"):
        _ = tree.stefaland.predikt
