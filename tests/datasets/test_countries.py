"""Countries have one spelling, whatever the archive writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from xstefaland import datasets
from xstefaland.datasets.countries import CODES, codes

UNITED_KINGDOM = ["England", "Scotland", "Wales", "United Kingdom", "GB"]


def test_codes_are_two_letters_and_stay() -> None:
    """Writing them again changes nothing, nor does what is unknown."""
    assert all(re.fullmatch("[A-Z]{2}", code) for code in CODES.values())
    assert codes(CODES.values()) == list(CODES.values())
    assert codes(["Nowhere", ""]) == ["Nowhere", ""]
    assert set(codes(UNITED_KINGDOM)) == {"GB"}
    assert codes(["A", "I", "Luxemburg", "Luxembourg"]) == ["AT", "IT", "LU", "LU"]


def test_every_country_of_the_catalogue_of_landslides_is_known(real_data: Path):
    """All but a few islands that are spelled with accents."""
    found = datasets.landslides(real_data).country.values
    odd = sorted(
        {each for each in found if each and not re.fullmatch("[A-Z]{2}", each)}
    )
    assert odd == []


@pytest.mark.parametrize("reader", ["camels_ch", "caravan"])
def test_archives_of_several_countries(reader: str, real_data: Path) -> None:
    """Each basin lies in one that has a code."""
    found = getattr(datasets, reader)(real_data, chunks={}).country.values
    assert len(set(found)) > 3
    assert all(re.fullmatch("[A-Z]{2}", each) for each in found if each)
