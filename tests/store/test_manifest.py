"""What is done is known, and another run is told from the same one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from xstefaland.errors import InputError
from xstefaland.store.folders import LocalFolder
from xstefaland.store.manifest import Manifest, differences, refuse_difference


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """A manifest without a run."""
    return Manifest(LocalFolder(tmp_path))


def test_a_run_from_begin_to_end(manifest: Manifest) -> None:
    """Plan, template, regions, end: each is known once it is said."""
    assert manifest.plan() is None
    manifest.restart({"run": "a"})
    assert not manifest.ready
    manifest.set_ready()
    manifest.set_done(3, {"seconds": 1.5})
    assert manifest.ready
    assert (manifest.done(), manifest.is_done(3), manifest.is_done(4)) == (
        {3},
        True,
        False,
    )
    manifest.finish({})
    assert manifest.finished
    assert manifest.is_done(4)
    assert sorted(manifest.folder.names()) == [
        "finished.json",
        "plan.json",
        "ready.json",
    ]


@pytest.mark.parametrize("finished", [False, True])
def test_a_new_start_forgets_what_was_done(manifest: Manifest, finished: bool) -> None:
    """Regions of an older run must not count for a new one."""
    manifest.restart({"run": "a"})
    manifest.set_ready()
    manifest.set_done(3, {})
    if finished:
        manifest.finish({})
    manifest.restart({"run": "b"})
    plan = manifest.plan()
    assert plan is not None
    assert plan["run"] == "b"
    assert not manifest.ready
    assert not manifest.finished
    assert not manifest.done()


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a: 1 then, 2 now"]),
        ({"a": {"b": "x"}}, {"a": {}}, ["a.b: 'x' then, nothing now"]),
        ({}, {"a": [1]}, ["a: nothing then, [1] now"]),
        ({"a": [1.0, 2.0]}, {"a": [1.0, 2.00001]}, []),
        ({"a": [1.0, 2.0]}, {"a": [1.0, 2.1]}, ["a: [1.0, 2.0] then, [1.0, 2.1] now"]),
        ({"a": [1.0]}, {"a": [1.0, 2.0]}, ["a: [1.0] then, [1.0, 2.0] now"]),
        ({"a": None}, {"a": [1.0]}, []),
        ({"a": "ab"}, {"a": ["a", "b"]}, ["a: 'ab' then, ['a', 'b'] now"]),
    ],
)
def test_differences(then: Any, now: Any, expected: list[str]) -> None:
    """Every leaf that differs, by its path; what could not be read does not count."""
    assert differences(then, now) == expected


def test_refusal_names_all_differences_and_the_way_out() -> None:
    """A user sees at once what was changed."""
    with pytest.raises(InputError) as error:
        refuse_difference("out.zarr", {"a": 1, "b": 2}, {"a": 2, "b": 3})
    for text in ("out.zarr", "a: 1 then, 2 now", "b: 2 then", "resume=False"):
        assert text in str(error.value)
