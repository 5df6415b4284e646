"""Options: validated, restored, all problems at once."""

from __future__ import annotations

import asyncio
import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from xstefaland import get_options, options, set_options
from xstefaland.errors import InputError
from xstefaland.inference import lazy
from xstefaland.inference.lazy import Settings


def in_a_thread(function):
    """Return what a function returns in a new thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


@pytest.fixture(autouse=True)
def _unchanged_afterwards():
    """Put every option back after each test."""
    before = dict(get_options())
    yield
    set_options(**before)


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


def test_plain_call_holds_in_other_threads():
    """What one thread sets for good, a running thread sees as well."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(get_options).result()
        set_options(out_of_range="keep")
        assert pool.submit(get_options).result()["out_of_range"] == "keep"
        pool.submit(set_options, validation="log").result()
    assert get_options()["validation"] == "log"


def test_block_is_not_seen_by_other_threads():
    """A block holds where it was entered, and nowhere else."""
    with set_options(precision="bfloat16"):
        assert in_a_thread(get_options)["precision"] == "float32"


def test_interleaved_blocks_restore():
    """Two threads that leave their blocks in the order of entering change nothing."""
    both_inside, first_left = Barrier(2, timeout=20), Barrier(2, timeout=20)

    def first():
        with set_options(device="cuda:1"):
            both_inside.wait()
            seen = get_options()["device"]
        first_left.wait()
        return seen

    def second():
        with set_options(device="cuda:2"):
            both_inside.wait()
            first_left.wait()
            return get_options()["device"]

    with ThreadPoolExecutor(2) as pool:
        seen = [each.result() for each in (pool.submit(first), pool.submit(second))]
    assert seen == ["cuda:1", "cuda:2"]
    assert get_options()["device"] == "auto"


def test_every_call_gets_its_own_device(monkeypatch):
    """`device=` of a call is its own, though eight threads call at the same time."""
    all_inside = Barrier(8, timeout=20)

    def after_the_others():
        all_inside.wait()
        return get_options()

    def ask(number):
        device = f"cuda:{number}"
        return Settings.current(device=device).device == device

    monkeypatch.setattr(lazy, "get_options", after_the_others)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))
    assert get_options()["device"] == "auto"


def test_arguments_of_a_call_touch_no_options(monkeypatch):
    """`device=` is checked and used without setting anything, even for a moment."""

    def refuse(*args, **values):
        raise AssertionError("an option was set")

    monkeypatch.setattr(options.set_options, "__init__", refuse)
    assert Settings.current(device="cuda:5", precision="bfloat16").device == "cuda:5"
    with pytest.raises(InputError, match="device='gpu' is not possible"):
        Settings.current(device="gpu")


def test_asynchronous_tasks_keep_their_own():
    """Tasks that take turns inside their blocks do not see each other's options."""

    async def work(device):
        with set_options(device=device):
            await asyncio.sleep(0.01)
            inside = get_options()["device"]
        await asyncio.sleep(0.01)
        return inside, get_options()["device"]

    async def both():
        return await asyncio.gather(work("cpu"), work("cuda:1"))

    assert asyncio.run(both()) == [("cpu", "auto"), ("cuda:1", "auto")]


def test_plain_call_inside_a_block():
    """It holds at once, survives the block, and an outer block is restored."""
    with set_options(device="cuda:1"):
        with set_options(device="cuda:2"):
            set_options(device="cpu")
            assert get_options()["device"] == "cpu"
        assert get_options()["device"] == "cuda:1"
    assert get_options()["device"] == "cpu"


def test_block_entered_late_and_twice():
    """A block made beforehand is a plain call until it is entered; then it is local."""
    block = set_options(precision="bfloat16")
    assert in_a_thread(get_options)["precision"] == "bfloat16"
    set_options(offline=True)
    with set_options(device="cpu"):
        with block, block:
            assert get_options()["precision"] == "bfloat16"
            assert in_a_thread(get_options)["precision"] == "float32"
        assert get_options()["device"] == "cpu"
    assert get_options()["precision"] == "float32"
    assert get_options()["offline"] is True


def test_block_made_in_another_block():
    """Entered after that block has ended, it brings nothing of it back."""
    with set_options(device="cuda:1"):
        later = set_options(device="cpu")
    with later:
        assert get_options()["device"] == "cpu"
    assert get_options()["device"] == "auto"


def test_many_calls_are_not_kept():
    """Plain calls leave their values, not a growing list."""
    set_options(offline=True)
    for _ in range(100):
        set_options(validation="log")
    gc.collect()
    assert get_options()["offline"] is True
    assert len(options._CALLS) < 5


def test_cache_dir_becomes_a_path():
    """Text is accepted for the folder and read back as a Path."""
    set_options(cache_dir="somewhere")
    assert get_options()["cache_dir"] == Path("somewhere")


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:3", "mps"])
def test_devices(device):
    """Every documented device name is accepted."""
    set_options(device=device)
    assert get_options()["device"] == device


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("device", "gpu", '"auto", "cpu", "cuda", "cuda:0" or "mps"'),
        ("device", "cuda:x", "cuda:0"),
        ("precision", "float16", '"float32" or "bfloat16"'),
        ("validation", True, '"raise", "warn", "log" or "ignore"'),
        ("out_of_range", "drop", '"missing" or "keep"'),
        ("cache_dir", 3, "a folder, or None"),
        ("offline", 1, "True or False"),
        ("progress", "yes", "True or False"),
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
