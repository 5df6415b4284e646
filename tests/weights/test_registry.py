"""The table: consistent, complete, and safely edited."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from xstefaland.errors import UnknownTargetError, WeightsError, WeightsNotFoundError
from xstefaland.testing import tiny_weights
from xstefaland.weights import Weights, fetch_all, load, read, registry
from xstefaland.weights import list as list_weights
from xstefaland.weights.files import sha256_of
from xstefaland.weights.registry import make_default, record, retire

SHIPPED = registry.table()
LIMIT = 24_000_000  # bytes of all bundled weights


@pytest.mark.parametrize("entry", SHIPPED.entries, ids=SHIPPED.names)
def test_bundled_file_is_the_listed_one(entry: registry.Entry) -> None:
    """Each published bundled file is there, with its hash, and its card agrees."""
    if not entry.bundled or entry.sha256 is None:
        pytest.skip("not bundled or not published yet")
    path = registry.BUNDLED / entry.file
    assert sha256_of(path) == entry.sha256
    assert path.stat().st_size == entry.size
    card = read(path).card
    assert (card.name, card.kind, card.licence) == (
        entry.name,
        entry.kind,
        entry.licence,
    )
    assert tuple(target.name for target in card.targets) == entry.targets
    if card.encoder is not None:
        encoder = SHIPPED.get(card.encoder.name)
        assert card.encoder.sha256 == encoder.sha256
        assert entry.encoder == encoder.name


def test_bundled_folder_holds_nothing_else() -> None:
    """Every weights file in the package is listed, and all are small enough."""
    files = sorted(registry.BUNDLED.glob("*.safetensors"))
    listed = {e.file for e in SHIPPED.entries if e.bundled and e.sha256}
    assert {path.name for path in files} == listed
    assert sum(path.stat().st_size for path in files) <= LIMIT


def test_names_of_the_plan() -> None:
    """The default encoder and the heads have the names the documents promise."""
    assert SHIPPED.default_encoder == "stefaland-base-v1"
    assert SHIPPED.head_for("streamflow").name == "streamflow-resconn-v1"
    assert SHIPPED.head_for("streamflow", "resconn").name == "streamflow-resconn-v1"
    hbv = SHIPPED.head_for("streamflow", "resconn-hbv")
    assert hbv.name == "streamflow-resconn-hbv-v1"
    assert SHIPPED.head_for("evapotranspiration").name == hbv.name
    assert SHIPPED.head_for("soil_moisture").name == "soil-moisture-resconn-v1"


def test_unknown_target_lists_targets() -> None:
    """An unknown target is answered with those that exist."""
    with pytest.raises(UnknownTargetError, match=r"'snowfall'.*recharge.*streamflow"):
        SHIPPED.head_for("snowfall")


def test_form_of_head_lacks_target() -> None:
    """A head that exists but lacks the target says what it predicts."""
    with pytest.raises(
        UnknownTargetError, match="'resconn-hbv' does not predict 'soil"
    ):
        SHIPPED.head_for("soil_moisture", "resconn-hbv")


def test_unknown_name_lists_names() -> None:
    """An unknown name is answered with the names and the forms of heads."""
    with pytest.raises(WeightsNotFoundError, match=r"stefaland-base-v1.*resconn-hbv"):
        SHIPPED.get("stefaland-huge-v9")


def test_record_replaces_a_line(table, encoder_file: Weights, make_head) -> None:
    """Publishing again replaces the line and moves the default."""
    table.add(encoder_file, "base")
    first = make_head("a-v1", ["streamflow"])
    table.add(first, "resconn")
    second = make_head("b-v1", ["streamflow", "recharge"])
    entry = record(
        second,
        form="resconn-hbv",
        version="v2",
        description="better",
        default_for=["streamflow", "recharge"],
        bundled=False,
    )
    found = registry.table()
    assert found.names == ("tiny-v1", "a-v1", "b-v1")
    assert found.get("b-v1") == entry
    assert entry.sha256 == second.sha256
    assert entry.encoder == "tiny-v1"
    assert found.get("a-v1").default_for == ()
    assert found.head_for("streamflow").name == "b-v1"
    assert found.head_for("streamflow", "resconn").name == "a-v1"


def test_each_way_of_reading_has_its_default(
    table, encoder_file: Weights, make_head
) -> None:
    """A causal head leaves the other's default alone, and is found by who asks so."""
    table.add(encoder_file, "base")
    table.add(make_head("a-v1", ["streamflow"]), "resconn")
    causal = make_head("c-v1", ["streamflow"], readings=("causal",))
    how = {"version": "v1", "description": "", "bundled": False}
    record(causal, form="lstm", default_for=["streamflow"], **how)
    found = registry.table()
    assert found.get("c-v1").readings == ("causal",)
    assert found.head_for("streamflow").name == "a-v1"
    assert found.head_for("streamflow", reading="causal").name == "c-v1"
    assert found.head_for("streamflow", "resconn", reading="causal").name == "a-v1"
    together = found.heads_together(["streamflow"], reading="causal")
    assert [entry.name for entry in together.values()] == ["c-v1"]
    both = make_head("d-v1", ["streamflow"], readings=("two-way", "causal"))
    record(both, form="resconn", default_for=["streamflow"], **how)
    found = registry.table()
    assert found.get("a-v1").default_for == found.get("c-v1").default_for == ()
    for reading in ("two-way", "causal"):
        assert found.head_for("streamflow", reading=reading).name == "d-v1"


def test_one_causal_default_a_target(table, encoder_file: Weights, make_head) -> None:
    """Two of them would be a choice by the order of lines."""
    table.add(encoder_file, "base")
    table.add(make_head("a-v1", ["streamflow"]), "resconn")
    for name in ("c-v1", "d-v1"):
        table.add(make_head(name, ["streamflow"], readings=("causal",)), "lstm")
    with pytest.raises(WeightsError, match="several default heads that read so: caus"):
        registry.table()


def test_record_refuses_a_contradiction(table, encoder_file, make_head) -> None:
    """A table that would be wrong is not written."""
    table.add(encoder_file, "base")
    before = registry.REGISTRY_FILE.read_text()
    head = make_head("a-v1", ["streamflow"])
    with pytest.raises(WeightsError, match="'streamflow' has 0 default heads"):
        record(head, form="resconn", version="v1", description="", bundled=False)
    assert registry.REGISTRY_FILE.read_text() == before


def test_record_wants_bundled_files_in_place(table, encoder_file: Weights) -> None:
    """A file to be bundled must lie in the package."""
    with pytest.raises(WeightsError, match="is to be bundled; save it in"):
        record(encoder_file, form="base", version="v1", description="")


def test_bundled_record(table, encoder_file: Weights, tmp_path: Path) -> None:
    """A file in the bundled folder is entered as bundled."""
    registry.REGISTRY_FILE.write_text('{"default_encoder": "tiny-v1", "entries": []}')
    path = registry.BUNDLED / "tiny-v1.safetensors"
    path.write_bytes(encoder_file.path.read_bytes())
    with pytest.raises(WeightsError, match="default encoder 'tiny-v1' is not listed"):
        registry.table()
    table.add(encoder_file, "base", sha256=None, bundled=True)
    record(read(path), form="base", version="v1", description="tiny")
    assert registry.table().get("tiny-v1").sha256 == encoder_file.sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "sha256:12"}, "has no full sha256"),
        ({"kind": "thing"}, "has kind 'thing'"),
        ({"encoder": "other"}, "has encoder 'other', not listed"),
        ({"default_for": ["streamflow", "x"]}, "default for targets it does not"),
        ({"name": "tiny-v1"}, "'tiny-v1' is listed twice"),
        ({"colour": "blue"}, "unknown columns"),
        ({"targets": [], "default_for": []}, "has no targets"),
    ],
)
def test_wrong_table_is_refused(
    table, encoder_file: Weights, make_head, changes: dict[str, object], message: str
) -> None:
    """A slip of the hand in the table is found when it is read."""
    table.add(encoder_file, "base")
    table.add(make_head("a-v1", ["streamflow"]), "resconn")
    lines = [asdict(entry) for entry in table.entries]
    lines[1].update(changes)
    content = {"default_encoder": "tiny-v1", "entries": lines}
    registry.REGISTRY_FILE.write_text(json.dumps(content))
    with pytest.raises(WeightsError, match=message):
        registry.table()


def test_a_retired_head_is_known_by_its_name_alone(
    table, encoder_file: Weights, make_head
) -> None:
    """Its targets have their new head, also by its form; its file is gone."""
    table.add(encoder_file, "base")
    old = make_head("a-v1", ["streamflow"])
    new = make_head("a-v2", ["streamflow"], doi="10.5281/zenodo.1")
    table.add(old, "resconn", bundled=True)
    (registry.BUNDLED / old.path.name).write_bytes(old.path.read_bytes())
    with pytest.raises(
        WeightsError, match=r"retired weights are a default: \['a-v1'\]"
    ):
        retire("a-v1", "0.1.0")
    how = {"form": "resconn", "version": "v2", "description": "", "bundled": False}
    record(new, default_for=["streamflow"], **how)
    assert registry.table().head_for("streamflow", "resconn").name == "a-v1"
    assert retire("a-v1", "0.1.0").retired
    found = registry.table()
    assert found.head_for("streamflow", "resconn").name == "a-v2"
    assert found.head_for("streamflow").name == "a-v2"
    assert found.head_for("streamflow", "a-v1").name == "a-v1"
    assert (found.get("a-v2").doi, found.get("a-v2").members) == ("10.5281/zenodo.1", 1)
    assert list(registry.BUNDLED.iterdir()) == []


def test_retired_weights_say_where_they_were(
    table, encoder_file: Weights, make_head, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come from the cache or a mirror, or the release that had them is named."""
    table.add(encoder_file, "base")
    old = make_head("a-v1", ["streamflow"])
    table.add(make_head("a-v2", ["streamflow"]), "resconn")
    table.add(old, "resconn", bundled_in="0.1.0", default_for=())
    with pytest.raises(WeightsError, match=r"were bundled in xstefaland 0\.1\.0"):
        load("a-v1")
    monkeypatch.setenv("XSTEFALAND_WEIGHTS_URL", str(old.path.parent))
    assert load("a-v1") == old
    assert [path.name for path in fetch_all()] == [
        "tiny-v1.safetensors",
        "a-v2.safetensors",
    ]
    listed = list_weights().set_index("name")
    assert listed.retired.to_dict() == {"tiny-v1": False, "a-v2": False, "a-v1": True}


def test_another_encoder_becomes_the_default(table, encoder_file, make_head) -> None:
    """Of the encoders that ship; the lines stay as they are."""
    table.add(encoder_file, "base")
    later = tiny_weights(encoder_file.path.with_name("later-v2.safetensors"), seed=1)
    table.add(later, "base", name="later-v2")
    table.add(make_head("a-v1", ["streamflow"]), "resconn")
    before = registry.table()
    assert make_default("later-v2").name == "later-v2"
    after = registry.table()
    assert after.default_encoder == "later-v2"
    assert after.entries == before.entries
    with pytest.raises(WeightsError, match="default encoder 'a-v1' is not listed"):
        make_default("a-v1")


def test_a_retired_encoder_is_no_default(table, encoder_file: Weights) -> None:
    """The default encoder must ship."""
    table.add(encoder_file, "base", bundled_in="0.1.0")
    with pytest.raises(WeightsError, match="retired weights are a default: the enc"):
        registry.table()


def test_a_target_without_a_head_can_be_finetuned() -> None:
    """What the table of targets knows and no head predicts: the call that makes one."""
    with pytest.raises(UnknownTargetError) as known:
        SHIPPED.head_for("clay")
    assert "xstefaland.training.finetune(ds, 'clay', observed=" in str(known.value)
    with pytest.raises(UnknownTargetError) as unknown:
        SHIPPED.head_for("runof")
    assert "finetune" not in str(unknown.value)
