"""Finetuning and publishing: heads learn on cached embeddings and load again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from xstefaland.errors import WeightsError
from xstefaland.inference.blocks import embed_block
from xstefaland.inputs.variables import CATALOGUE
from xstefaland.model import EncoderConfig, HeadConfig, StefaLand
from xstefaland.training import publishing, tasks
from xstefaland.training.corpus import Corpus
from xstefaland.training.finetuning import (
    Finetuning,
    Sampler,
    Version,
    finetune,
    predict_sites,
    score_sites,
)
from xstefaland.training.pretraining import Pretraining, new_model, roles
from xstefaland.training.tasks import Task
from xstefaland.weights import require_encoder
from xstefaland.weights.files import read

FORCING = ("precipitation", "temperature", "potential_evapotranspiration")
RUN = Pretraining(
    steps=1,
    share_left_out=0.3,
    model={"d_model": 16, "layers": 1, "heads": 2, "ffn": 32},
)


@pytest.fixture
def task(corpus: Corpus) -> Task:
    """Streamflow that is half the precipitation."""
    return tasks.load_task(
        corpus, "streamflow", roles(corpus, RUN), start="2000-03-01", end="2002-08-17"
    )


@pytest.fixture
def model(corpus: Corpus) -> StefaLand:
    """A tiny untrained encoder with the corpus's scaling."""
    return new_model(corpus, RUN).eval()


def config(**others: object) -> HeadConfig:
    """A narrow head."""
    entries = {
        "targets": ("streamflow",),
        "forcing": FORCING,
        "attributes": ("elevation", "clay"),
        "embedding": 16,
        "width": 16,
        "dropout": 0.0,
        "also_log": ("precipitation",),
    }
    return HeadConfig(**(entries | others))  # type: ignore[arg-type]


def short(steps: int, **others: object) -> Finetuning:
    """A run of seconds in float32."""
    entries = {"batch_size": 8, "days": 100, "warmup": 20, "precision": "float32"}
    return Finetuning(steps=steps, **(entries | others))  # type: ignore[arg-type]


def test_only_the_task_s_sites_and_days_are_loaded(corpus: Corpus, task: Task) -> None:
    """Sources without enough observations are left out; dates are those asked for."""
    assert [s.name for s in task.sources] == ["camels-era5land"]
    assert str(task.sources[0].dates[0].date()) == "2000-03-01"
    assert set(task.known_attributes) == {"clay", "elevation"}


def test_dropped_inputs_spare_what_is_required(task: Task) -> None:
    """Required forcings are never hidden; attributes go in whole groups."""
    hidden = tasks.drop_inputs(task, ["precipitation", "temperature"], 0)
    forcing, attributes = hidden["camels-era5land"]
    names = task.forcing_names
    assert not forcing[:, names.index("precipitation")].any()
    assert not forcing[:, names.index("temperature")].any()
    assert forcing.any()
    assert attributes.any()
    groups = [CATALOGUE[n].group for n in task.attribute_names]
    assert len(set(groups)) == 2


def test_cached_embeddings_are_those_of_inference(
    task: Task, model: StefaLand, tmp_path: Path
) -> None:
    """The cache holds what embed_block gives, in half precision."""
    caches = tasks.cache_embeddings(model, task, tmp_path, precision="float32")
    source = task.sources[0]
    direct = embed_block(
        model,
        source.forcing[:2],
        source.attributes[:2],
        source.sites["lat"].to_numpy(np.float32)[:2],
        source.dates.day_of_year.to_numpy(),
    )
    cached = caches[source.name][:2].astype(np.float32)
    np.testing.assert_allclose(cached, direct, atol=2e-3)


def test_every_system_sees_the_same_windows(task: Task) -> None:
    """Two heads with one seed draw the same observations."""
    caches = {"camels-era5land": np.zeros((24, 900, 16), np.float16)}
    draws = []
    for kind, cache in (("lstm", None), ("resconn", caches)):
        versions = [Version(None, cache)]
        draws.append(Sampler(task, config(kind=kind), versions, short(1)).draw())
    torch.testing.assert_close(draws[0].observed, draws[1].observed, equal_nan=True)
    torch.testing.assert_close(draws[0].forcing, draws[1].forcing, equal_nan=True)


@pytest.mark.parametrize("kind", ["lstm", "resconn", "no_resconn", "linear"])
def test_heads_learn_a_simple_relation(
    task: Task, model: StefaLand, tmp_path: Path, kind: str
) -> None:
    """On held-out sites a flow that is half the rain is predicted."""
    caches = tasks.cache_embeddings(model, task, tmp_path, precision="float32")
    form = config(kind=kind)
    versions = [Version(None, caches)]
    head = finetune(task, form, versions, short(150, learning_rate=1e-2))
    results = predict_sites(head, task, form, versions[0])
    scores = score_sites(results, ["nse", "kge"])
    assert len(scores) == (task.sites["role"] == "held out").sum()
    assert scores["nse"].median() > 0.7


def test_an_hbv_head_keeps_its_balance(task: Task) -> None:
    """Rain is streamflow, evapotranspiration and change of storage, to 1 mm a year."""
    targets = (
        "streamflow",
        "evapotranspiration",
        "snow_water_equivalent",
        "soil_water",
        "upper_zone_storage",
        "lower_zone_storage",
    )
    form = config(kind="lstm", physics="hbv", targets=targets, components=4)
    head = finetune(task, form, [Version(None, None)], short(3))
    ((source, rows, answer),) = predict_sites(head, task, form, Version(None, None))
    rain = source.forcing[rows][:, 20:, 0].sum(1)
    flow, loss = answer[:, 20:, 0].sum(1), answer[:, 20:, 1].sum(1)
    stored = answer[:, -1, 2:].sum(-1) - answer[:, 19, 2:].sum(-1)
    lost = np.abs(rain - flow - loss - stored)
    # water on its way through the routing is in no store: at most some days of flow
    assert (lost < 10 * answer[:, :, 0].max(1)).all()


@pytest.mark.parametrize("physics", [None, "hbv"])
def test_published_files_load_and_answer_the_same(
    corpus: Corpus,
    task: Task,
    model: StefaLand,
    tmp_path: Path,
    physics: str | None,
) -> None:
    """Encoder and head come back from float32 files with equal answers."""
    role = roles(corpus, RUN)
    common = {"training": {}, "metrics": {}, "folder": tmp_path, "dtype": "float32"}
    encoder = publishing.publish_encoder(
        model, corpus, RUN, role, name="tiny", description="", **common
    )
    again = encoder.model()
    assert isinstance(again.config, EncoderConfig)
    assert encoder.card.left_out == tuple(sorted(corpus.sites["site"][role != "train"]))
    form = config(kind="lstm", physics=physics)
    head = finetune(task, form, [Version(None, None)], short(2))
    file = publishing.publish_head(
        head, form, task, encoder, name="tiny-head", form="x", description="",
        default_for=[], **common,
    )  # fmt: skip
    require_encoder(file, encoder)
    inputs = torch.zeros(2, 1, 1), torch.rand(2, 400, 3) * 10, torch.rand(2, 2)
    with torch.inference_mode():
        torch.testing.assert_close(read(file.path).model()(*inputs), head(*inputs))
    needed = {name for choice in file.card.required for name in choice}
    assert {"precipitation", "temperature"} <= needed
    assert ("potential_evapotranspiration" in needed) == (physics == "hbv")


def test_a_head_refuses_another_encoder(
    corpus: Corpus, task: Task, model: StefaLand, tmp_path: Path
) -> None:
    """The head file names its encoder's hash."""
    common = {"training": {}, "metrics": {}, "folder": tmp_path, "dtype": "float32"}
    publish = publishing.publish_encoder
    role = roles(corpus, RUN)
    first = publish(model, corpus, RUN, role, name="a", description="", **common)
    other = new_model(corpus, Pretraining(steps=1, seed=7, model=RUN.model)).eval()
    second = publish(other, corpus, RUN, role, name="b", description="", **common)
    head = finetune(task, config(kind="lstm"), [Version(None, None)], short(1))
    file = publishing.publish_head(
        head, config(kind="lstm"), task, first, name="h", form="x", description="",
        default_for=[], **common,
    )  # fmt: skip
    with pytest.raises(WeightsError, match="'a'"):
        require_encoder(file, second)
