"""What a user says of a Dataset beside what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from xstefaland.errors import InputError

Climate = slice | xr.Dataset | Literal["record", "none"]
"""From where climate attributes come: a reference period, a table, the record, none."""

Latitude = str | float | xr.DataArray


@dataclass(frozen=True)
class Hints:
    """What a user says of a Dataset beside what stands in it.

    Attributes
    ----------
    rename : mapping of str to str, optional
        Name in the Dataset to canonical name.
    units : mapping of str to str, optional
        Name in the Dataset to units, for variables that state none or wrong ones.
    latitude : str, float or DataArray, optional
        Name of the variable that holds the latitude, or the latitude itself
        [degrees north]; an array goes by the labels of its sites.
    climate : slice, Dataset, "record" or "none"
        Reference period of climate attributes, the attributes themselves, the whole
        record, or no derived ones.
    """

    rename: Mapping[str, str] | None = None
    units: Mapping[str, str] | None = None
    latitude: Latitude | None = None
    climate: Climate = "record"

    def __post_init__(self) -> None:
        """Refuse what is no mapping of text to text, and no period of dates."""
        for name, example in (
            ("rename", '{"rain": "precipitation"}'),
            ("units", '{"rain": "mm d-1"}'),
        ):
            given = getattr(self, name)
            good = given is None or (
                isinstance(given, Mapping)
                and all(isinstance(x, str) for pair in given.items() for x in pair)
            )
            if not good:
                raise InputError(
                    f"{name}={given!r} is not possible; pass a mapping of names, such "
                    f"as {name}={example}"
                )
        if isinstance(self.climate, slice):
            _refuse_no_dates(self.climate)

    @classmethod
    def of(
        cls,
        rename: Mapping[str, str] | None = None,
        units: Mapping[str, str] | None = None,
        latitude: Latitude | None = None,
        climate: Climate | None = None,
        causal: bool = False,
    ) -> Hints:
        """Collect what is passed to a call.

        Parameters
        ----------
        rename, units, latitude
            As above.
        climate : slice, Dataset, "record", "none" or None
            None: the whole record; with `causal` nowhere.
        causal : bool
            Days to come must not be known, so the whole record is refused.

        Raises
        ------
        InputError
            For arguments that are not possible.
        """
        if climate is None:
            climate = "none" if causal else "record"
        if not (
            isinstance(climate, slice | xr.Dataset) or climate in ("record", "none")
        ):
            raise InputError(
                f"climate={climate!r} is not possible; pass a reference period such as "
                'slice("1990", "2010"), a Dataset of climate attributes '
                "(xstefaland.derive_climate(ds)), 'record' or 'none'."
            )
        if causal and isinstance(climate, str) and climate == "record":
            raise InputError(
                "climate='record' takes climate attributes from days to come, which "
                "causal=True forbids; pass a reference period, such as "
                'climate=slice("1990", "2010"), or a table, or leave it out.'
            )
        return cls(rename, units, latitude, climate)


def _refuse_no_dates(period: slice) -> None:
    """Refuse a reference period whose ends are numbers, or texts that are no dates."""
    ends = [period.start, period.stop]
    good = not any(isinstance(end, int | float | np.number) for end in ends)
    try:
        _ = [pd.Timestamp(end) for end in ends if end is not None]
    except (TypeError, ValueError):
        good = False
    if not good:
        raise InputError(
            f"climate={period!r} is no period; write its ends as dates, such as "
            'slice("1990", "2010")'
        )


NO_HINTS = Hints()
