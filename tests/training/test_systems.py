"""Systems: each name is one form of a head, made of what the data have."""

from __future__ import annotations

from typing import Any

import pytest

from xstefaland.errors import InputError
from xstefaland.model import HeadConfig, build_head
from xstefaland.model.process import AVERAGES, CHANNELS, WEATHER
from xstefaland.training.systems import HEADS, entries_of, form_of

ATTRIBUTES = ("elevation", "clay", "aridity")


def config(head: Any, forcing: tuple[str, ...] = WEATHER) -> HeadConfig:
    """The configuration of a system for streamflow."""
    return HeadConfig(**entries_of(head, "streamflow", forcing, ATTRIBUTES))


@pytest.mark.parametrize("name", HEADS)
def test_a_name_is_that_of_what_it_makes(name: str) -> None:
    """From name to configuration and back; a network can be built of it."""
    made = config(name)
    assert form_of(made) == name
    assert made.targets[0] == "streamflow"
    assert len(made.targets) == (12 if made.physics else 1)
    build_head(made)


def test_strong_averaged_and_plain() -> None:
    """What tells the LSTMs apart."""
    strong, averages, plain = (
        config(name) for name in ("lstm", "lstm-averages", "lstm-plain")
    )
    assert (strong.channels, strong.place) == (CHANNELS, True)
    assert (averages.channels, averages.place) == (AVERAGES, True)
    assert (plain.channels, plain.place) == ((), False)
    assert {each.kind for each in (strong, averages, plain)} == {"lstm"}


def test_levels_depend_on_few_attributes() -> None:
    """Those that the data have, and no elevation."""
    made = config("lstm-anomaly")
    assert made.attributes == ("aridity", "clay")
    assert (made.form, made.channels, made.place) == ("anomaly", (), False)


def test_without_evapotranspiration_there_are_no_channels() -> None:
    """The name stays; a forcing that is left out by hand counts as lacking."""
    lacking = config("lstm", WEATHER[:2])
    assert (lacking.channels, lacking.place) == ((), True)
    assert form_of(lacking) == "lstm"
    assert config({"forcing": WEATHER[:2]}).channels == ()


def test_entries_change_the_default() -> None:
    """What is stated stays, also what the data lack."""
    made = config({"width": 9, "channels": ("dry_spell",)})
    assert (made.kind, made.width, made.channels) == ("resconn", 9, ("dry_spell",))
    with pytest.raises(InputError, match="need the forcing"):
        config({"channels": ("dry_spell",)}, WEATHER[:2])


def test_unknown_names_are_refused_with_those_there_are() -> None:
    """All of the table."""
    with pytest.raises(InputError, match=r"'resconn-anomaly', or a dict of entries"):
        config("former")
