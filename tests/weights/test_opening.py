"""The calls of a user: list, fetch, load, and what `weights=` and `head=` mean."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import xstefaland
from xstefaland.errors import (
    InputError,
    UnknownTargetError,
    WeightsError,
    WeightsNotFoundError,
)
from xstefaland.weights import (
    Weights,
    fetch,
    fetch_all,
    load,
    registry,
    resolve_encoder,
    resolve_head,
    resolve_heads,
)


@pytest.fixture
def shelf(table, encoder_file: Weights, make_head, monkeypatch) -> dict[str, Weights]:
    """An encoder, a direct head and an HBV head; the mirror is the test's folder."""
    heads = {
        "flow": make_head("flow-v1", ["streamflow"]),
        "hbv": make_head("hbv-v1", ["streamflow", "recharge"]),
    }
    table.add(encoder_file, "base")
    table.add(heads["flow"], "resconn")
    table.add(heads["hbv"], "resconn-hbv", default_for=("recharge",))
    monkeypatch.setenv("XSTEFALAND_WEIGHTS_URL", str(encoder_file.path.parent))
    return {"encoder": encoder_file, **heads}


def test_list(shelf: dict[str, Weights], tmp_path: Path) -> None:
    """The table has one row per file and knows what is in the cache."""
    cached = tmp_path / "cache" / "v1" / "tiny-v1.safetensors"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(shelf["encoder"].path.read_bytes())
    frame = xstefaland.weights.list().set_index("name")
    assert frame.index.tolist() == ["tiny-v1", "flow-v1", "hbv-v1"]
    assert frame.cached.tolist() == [True, False, False]
    assert frame.loc["hbv-v1", "targets"] == ("streamflow", "recharge")
    assert frame.loc["tiny-v1", "size"] == cached.stat().st_size
    assert frame.loc["flow-v1", "encoder"] == "tiny-v1"
    assert not frame.bundled.any()


def test_a_causal_head_is_chosen_by_who_asks_for_one(
    table, shelf: dict[str, Weights], make_head
) -> None:
    """Without a name; one that is named is what was named."""
    causal = make_head("causal-v1", ["streamflow"], readings=("causal",))
    table.add(causal, "lstm")
    assert resolve_head("streamflow") == shelf["flow"]
    assert resolve_head("streamflow", reading="causal") == causal
    assert resolve_head("streamflow", "flow-v1", reading="causal") == shelf["flow"]


def test_fetch(shelf: dict[str, Weights]) -> None:
    """A name gives a path; all names give all paths."""
    assert fetch("flow-v1") == shelf["flow"].path
    assert [path.name for path in fetch_all()] == [
        "tiny-v1.safetensors",
        "flow-v1.safetensors",
        "hbv-v1.safetensors",
    ]
    with pytest.raises(WeightsNotFoundError, match=r"'nothing'.*tiny-v1, flow-v1"):
        fetch("nothing")


def test_load_by_name_path_or_open(
    shelf: dict[str, Weights], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name, a string path, a Path and open weights all work."""
    encoder = shelf["encoder"]
    assert load("tiny-v1") == encoder
    assert load(str(encoder.path)) == encoder
    assert load(encoder.path) == encoder
    assert load(encoder) is encoder
    monkeypatch.chdir(encoder.path.parent)
    os.rename("tiny-v1.safetensors", "local")
    assert load("local") == encoder  # a file of that name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tiny-v9", "no weights called 'tiny-v9'.*Known names: tiny-v1"),
        ("./tiny-v1", "no weights file 'tiny-v1'"),
        ("gone.safetensors", r"no weights file 'gone\.safetensors'.*weights\.list"),
    ],
)
def test_load_of_nothing(shelf: dict[str, Weights], text: str, message: str) -> None:
    """A wrong name lists names, a wrong path says there is no file."""
    with pytest.raises(WeightsNotFoundError, match=message):
        load(text)


def test_default_encoder(shelf: dict[str, Weights]) -> None:
    """Without `weights=` it is the table's default."""
    assert resolve_encoder() == shelf["encoder"]
    assert resolve_encoder(shelf["encoder"].path) == shelf["encoder"]


def test_head_as_encoder(shelf: dict[str, Weights]) -> None:
    """A head in `weights=` is told where it belongs."""
    with pytest.raises(WeightsError, match=r"'flow-v1' is a head.*`head="):
        resolve_encoder("flow-v1")


def test_default_heads(shelf: dict[str, Weights], table, make_head) -> None:
    """A single target has its default head, whatever else predicts it."""
    assert resolve_head("streamflow") == shelf["flow"]
    assert resolve_head("recharge") == shelf["hbv"]
    soil = make_head("soil-v1", ["soil_moisture"])
    table.add(soil, "resconn")
    found = resolve_heads(["streamflow", "soil_moisture"])
    assert found == {"streamflow": shelf["flow"], "soil_moisture": soil}


def test_a_head_that_covers_the_list_answers_it(shelf: dict[str, Weights]) -> None:
    """Targets of one balance come from one head, in whatever order."""
    for targets in (["streamflow", "recharge"], ["recharge", "streamflow"]):
        assert set(resolve_heads(targets).values()) == {shelf["hbv"]}


def test_a_head_of_all_targets_goes_before_their_defaults(
    shelf: dict[str, Weights], table, make_head
) -> None:
    """A head that covers the list answers it even if it is the default of none."""
    soil, both = (
        make_head("soil-v1", ["soil_moisture"]),
        make_head("both-v1", ["streamflow", "soil_moisture"]),
    )
    table.add(soil, "resconn")
    table.add(both, "multi", default_for=())
    found = resolve_heads(["streamflow", "soil_moisture"])
    assert set(found.values()) == {both}
    assert resolve_head("streamflow") == shelf["flow"]
    assert resolve_head("soil_moisture") == soil


def test_a_balance_stays_together_beside_other_targets(
    shelf: dict[str, Weights], table, make_head
) -> None:
    """A target that the physics head lacks does not tear the balance apart."""
    soil = make_head("soil-v1", ["soil_moisture"])
    table.add(soil, "resconn")
    found = resolve_heads(["streamflow", "soil_moisture", "recharge"])
    assert found["streamflow"] == found["recharge"] == shelf["hbv"]
    assert found["soil_moisture"] == soil


def test_of_two_covering_heads_the_default_answers(
    shelf: dict[str, Weights], table, make_head
) -> None:
    """A further head for the same fluxes is taken only when it is asked for."""
    table.entries.insert(1, table.entries[2])
    del table.entries[3]
    other = make_head("a-v0", ["streamflow", "recharge"])
    table.add(other, "lstm-hbv", default_for=())
    table.entries.insert(1, table.entries.pop())
    table.write()
    assert resolve_heads(["streamflow", "recharge"])["streamflow"] == shelf["hbv"]
    assert resolve_heads(["streamflow", "recharge"], "lstm-hbv")["recharge"] == other


def test_bundled_heads_balance() -> None:
    """Of the real weights, streamflow and evapotranspiration come from HBV together."""
    shipped = registry.table()
    flow, soil = (shipped.head_for(t).name for t in ("streamflow", "soil_moisture"))
    hbv = shipped.head_for("evapotranspiration").name
    found = resolve_heads(["streamflow", "evapotranspiration"])
    assert {w.name for w in found.values()} == {hbv}
    assert resolve_head("streamflow").name == flow != hbv
    mixed = resolve_heads(["soil_moisture", "streamflow", "snow_water_equivalent"])
    assert [w.name for w in mixed.values()] == [soil, hbv, hbv]
    apart = resolve_heads(["soil_moisture", "streamflow"])
    assert apart["streamflow"].name == flow


@pytest.mark.parametrize("head", ["resconn-hbv", "hbv-v1", "path", "open"])
def test_named_head(shelf: dict[str, Weights], head: str) -> None:
    """A sort, a name, a path or open weights serve all targets."""
    chosen = {"path": shelf["hbv"].path, "open": shelf["hbv"]}.get(head, head)
    found = resolve_heads(["streamflow", "recharge"], chosen)
    assert set(found.values()) == {shelf["hbv"]}


def test_unknown_targets_are_listed(shelf: dict[str, Weights]) -> None:
    """All unknown targets, and all known ones, are in one error."""
    with pytest.raises(
        UnknownTargetError, match=r"'rain'.*Targets: recharge, streamflow"
    ):
        resolve_head("rain")
    with pytest.raises(UnknownTargetError, match=r"'rain', 'hail'.*Targets: recharge"):
        resolve_heads(["rain", "streamflow", "hail"])


@pytest.mark.parametrize("head", ["resconn", "flow-v1"])
def test_head_lacks_targets(shelf: dict[str, Weights], head: str) -> None:
    """Targets that a named head lacks are listed with those it has."""
    with pytest.raises(UnknownTargetError, match=r"'recharge'.* streamflow"):
        resolve_heads(["streamflow", "recharge"], head)


def test_file_that_lacks_targets(shelf: dict[str, Weights]) -> None:
    """The same for a head given by path, with every target it lacks."""
    with pytest.raises(
        UnknownTargetError, match="'flow-v1' does not predict 'recharge', 'rain'"
    ):
        resolve_heads(["recharge", "streamflow", "rain"], shelf["flow"].path)


def test_encoder_as_head(shelf: dict[str, Weights]) -> None:
    """An encoder in `head=` is told where it belongs."""
    with pytest.raises(WeightsError, match=r"is an encoder.*`weights="):
        resolve_head("streamflow", "tiny-v1")


def test_unknown_head(shelf: dict[str, Weights]) -> None:
    """An unknown head lists names and sorts."""
    with pytest.raises(WeightsNotFoundError, match=r"'lstm'.*resconn, resconn-hbv"):
        resolve_head("streamflow", "lstm")


@pytest.mark.parametrize("targets", ["streamflow", []])
def test_targets_must_be_a_list(shelf: dict[str, Weights], targets: object) -> None:
    """A string or nothing is no list of targets."""
    with pytest.raises(InputError, match="pass a list of at least one"):
        resolve_heads(targets)  # type: ignore[arg-type]
