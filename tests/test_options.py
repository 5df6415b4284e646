"""Options: validated, restored, all problems at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from xstefaland import get_options, set_options
from xstefaland.errors import InputError


@pytest.fixture(autouse=True)
def _unchanged_afterwards():
    """Put every option back after each test."""
    with set_options(**get_options()):
        yield


def test_call_sets_for_good():
    """Used as a function, the option stays."""
    set_options(device="cpu")
    assert get_options()["device"] == "cpu"


def test_with_block_restores():
    """Used in a ``with`` block, the old value comes back."""
    with set_options(precision="bfloat16") as options:
        assert get_options()["precision"] == "bfloat16"
        assert isinstance(options, set_options)
    assert get_options()["precision"] == "float32"


def test_with_block_restores_after_an_error():
    """An error inside the block passes through and the old value comes back."""
    block = set_options(precision="bfloat16")
    with pytest.raises(KeyError, match="inside"), block:
        raise KeyError("inside")
    assert get_options()["precision"] == "float32"


def test_only_touched_options_are_restored():
    """A change of another option inside the block survives it."""
    with set_options(precision="bfloat16"):
        set_options(validation="warn")
    assert get_options()["validation"] == "warn"
    assert get_options()["precision"] == "float32"


def test_options_are_a_read_only_copy():
    """What was read once neither changes later nor can be written to."""
    before = get_options()
    set_options(offline=True)
    assert before["offline"] is False
    with pytest.raises(TypeError, match="does not support item assignment"):
        before["offline"] = True  # type: ignore[index]


def test_cache_dir_becomes_a_path():
    """Text is accepted for the folder and read back as a Path."""
    set_options(cache_dir="somewhere")
    assert get_options()["cache_dir"] == Path("somewhere")


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:3"])
def test_devices(device):
    """Every documented device name is accepted."""
    set_options(device=device)
    assert get_options()["device"] == device


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("device", "gpu", '"auto", "cpu", "cuda" or "cuda:0"'),
        ("device", "cuda:x", "cuda:0"),
        ("precision", "float16", '"float32" or "bfloat16"'),
        ("validation", True, '"raise", "warn", "log" or "ignore"'),
        ("cache_dir", 3, "a folder, or None"),
        ("offline", 1, "True or False"),
        ("devise", "cpu", "there are device, precision"),
    ],
)
def test_wrong_option_says_what_is_possible(name, value, needed):
    """The message quotes what was passed and lists what is possible."""
    with pytest.raises(InputError, match=needed) as caught:
        set_options(**{name: value})
    assert repr(name) in str(caught.value) or f"{name}={value!r}" in str(caught.value)


def test_wrong_options_are_reported_together_and_change_nothing():
    """Two wrong values give one error with both; the right one is not set either."""
    with pytest.raises(InputError, match=r"2 problems") as caught:
        set_options(device="gpu", precision="half", offline=True)
    assert "device='gpu'" in str(caught.value)
    assert "precision='half'" in str(caught.value)
    assert get_options()["offline"] is False
