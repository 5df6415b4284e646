"""Find the variables of the catalogue in a Dataset, by name, alias or standard name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import xarray as xr

from xstefaland.inputs.requirements import Requirements
from xstefaland.inputs.variables import CATALOGUE, Kind, Variable, forbidden

How = Literal["rename", "name", "alias", "standard_name"]

_ALIASES = {alias.lower(): v.name for v in CATALOGUE.values() for alias in v.aliases}
_STANDARD: dict[str, list[str]] = {}
for _variable in CATALOGUE.values():
    for _standard_name in _variable.standard_names:
        _STANDARD.setdefault(_standard_name, []).append(_variable.name)


@dataclass(frozen=True)
class Match:
    """A variable of the Dataset that stands for a canonical or weights-file name."""

    name: str
    source: str
    how: How


class Matcher:
    """Assigns the variables of one Dataset, on request and at most once each.

    Precedence: `rename`, then the exact name (of the weights file or the catalogue),
    then aliases and standard names, which are equals: two candidates among them are a
    problem, and nothing is chosen.

    Parameters
    ----------
    ds : xarray.Dataset
        The user's data; only names, dims, dtypes and attributes are looked at.
    requirements : Requirements
        What the model asks for; its names count as exact names.
    rename : mapping of str to str, optional
        Name in the Dataset to canonical name.

    Attributes
    ----------
    problems : list of str
        What is wrong with `rename`, and ambiguities met so far.
    ambiguous : set of str
        Names with more than one candidate.
    site_dims : tuple of str or None
        Once known, attributes on other dimensions are no candidates.

    Examples
    --------
    >>> from xstefaland.inputs.requirements import VariableSpec
    >>> ds = xr.Dataset({"pr": ("time", [1.0, 2.0])})
    >>> matcher = Matcher(ds, Requirements((VariableSpec("precipitation", "mm d-1"),)))
    >>> matcher.find("precipitation")
    Match(name='precipitation', source='pr', how='alias')
    """

    def __init__(
        self,
        ds: xr.Dataset,
        requirements: Requirements,
        rename: Mapping[str, str] | None = None,
    ) -> None:
        self.problems: list[str] = []
        self.ambiguous: set[str] = set()
        self.site_dims: tuple[str, ...] | None = None
        self._ds = ds
        self._exact = {v.name for v in requirements.variables} | CATALOGUE.keys()
        self._wanted = {v.name for v in requirements.variables}
        self._as_is = {v.name for v in requirements.variables if v.catalogued is None}
        self._kinds: dict[str, Kind] = {n: v.kind for n, v in CATALOGUE.items()}
        self._kinds |= {v.name: "forcing" for v in requirements.forcing}
        self._kinds |= {v.name: "attribute" for v in requirements.attributes}
        self._found: dict[str, Match | None] = {}
        self._renamed = self._checked(rename or {})

    def find(self, name: str) -> Match | None:
        """Find the variable that stands for a canonical or weights-file name.

        Parameters
        ----------
        name : str
            Canonical name, or exact name in the weights file.

        Returns
        -------
        Match or None
            None where there is no candidate, or more than one.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    @property
    def matches(self) -> tuple[Match, ...]:
        """All matches so far."""
        return tuple(match for match in self._found.values() if match)

    def why_ignored(self, source: str) -> str:
        """Say why a variable of the Dataset was not used.

        Parameters
        ----------
        source : str
            Name in the Dataset.

        Returns
        -------
        str
            The reason, in a few words.
        """
        reason = forbidden(source)
        dtype = self._ds[source].dtype
        if reason is not None and source not in self._wanted:
            return reason
        if dtype.kind in "OSUT":
            return "text"
        name = self._means(source)
        if name is None:
            return "true or false" if dtype.kind == "b" else "not a known name"
        misfit = self._misfit(source, name)
        if misfit:
            return f"looks like {name}, but {misfit}"
        match = self._found.get(name)
        if match:
            return f"{name} is taken from {match.source!r}"
        return f"{name} is not used by these weights"

    def _find(self, name: str) -> Match | None:
        for source, target in self._renamed.items():
            if target == name:
                return Match(name, source, "rename")
        if name in self._candidates and not self._misfit(name, name):
            return Match(name, name, "name")
        if name not in CATALOGUE or name in self._as_is:
            return None
        by_name = self._spelled(name)
        by_standard_name = [
            source
            for source in self._candidates
            if self._standard(source) == name and source not in by_name
        ]
        candidates = [
            source
            for source in (*by_name, *by_standard_name)
            if not self._misfit(source, name)
        ]
        if len(candidates) > 1:
            self.problems.append(_ambiguous(name, candidates))
            self.ambiguous.add(name)
        if len(candidates) != 1:
            return None
        source = candidates[0]
        return Match(name, source, "alias" if source in by_name else "standard_name")

    def _spelled(self, name: str) -> list[str]:
        """Variables called by an alias; exact case decides between spellings."""
        sources = [s for s in self._candidates if self._alias(s) == name]
        exact = [s for s in sources if s in CATALOGUE[name].aliases]
        folded = {s.lower() for s in exact}
        return exact + [
            s for s in sources if s not in exact and s.lower() not in folded
        ]

    @cached_property
    def _candidates(self) -> tuple[str, ...]:
        """Variables that may be an input at all."""
        bounds = {v.attrs.get("bounds") for v in self._ds.variables.values()}
        return tuple(
            str(name)
            for name in self._ds.variables
            if (name not in self._ds.xindexes or name in self._as_is)
            and name not in bounds
            and name not in self._renamed
            and (name in self._wanted or forbidden(str(name)) is None)
        )

    def _means(self, source: str) -> str | None:
        if source in self._exact:
            return source
        return self._alias(source) or self._standard(source)

    def _alias(self, source: str) -> str | None:
        return None if source in self._exact else _ALIASES.get(source.lower())

    def _standard(self, source: str) -> str | None:
        """Catalogue name by standard_name and, where it matters, cell_methods."""
        attrs = self._ds[source].attrs
        if source in self._exact or source.lower() in _ALIASES:
            return None
        names = _STANDARD.get(str(attrs.get("standard_name", "")), [])
        fitting = [n for n in names if _method_fits(CATALOGUE[n], attrs)]
        return fitting[0] if len(fitting) == 1 else None

    def _misfit(self, source: str, name: str) -> str:
        """Why a variable cannot be `name` by its dimensions, or an empty string."""
        dims = self._ds[source].dims
        if self._kinds[name] == "forcing":
            return "" if "time" in dims else "it has no dimension 'time'"
        if "time" in dims:
            return "it has the dimension 'time'"
        if self.site_dims is None or not dims or set(dims) & set(self.site_dims):
            return ""
        return f"its dimension {dims[0]!r} is not one of the forcing's"

    def _checked(self, rename: Mapping[str, str]) -> dict[str, str]:
        """Keep what is right in `rename`, note what is wrong."""
        checked: dict[str, str] = {}
        for source, name in rename.items():
            wrong = self._rename_problem(source, name, checked)
            if wrong:
                self.problems.append(f'rename={{"{source}": "{name}"}}: {wrong}')
            else:
                checked[source] = name
        return checked

    def _rename_problem(self, source: str, name: str, checked: dict[str, str]) -> str:
        if source not in self._ds.variables:
            if name in self._ds.variables and source in self._exact:
                return (
                    f'the Dataset\'s name goes first: rename={{"{name}": "{source}"}}'
                )
            return f"the Dataset has no variable {source!r}{_nearest(source, self._ds)}"
        if name not in self._exact:
            return (
                f"{name!r} is not a name the package knows{_nearest(name, self._exact)}"
            )
        if name in checked.values():
            return f"{name!r} is given to two variables; leave one out"
        return ""


def _ambiguous(name: str, candidates: list[str]) -> str:
    quoted = " and ".join(repr(source) for source in candidates)
    call = f'rename={{"{candidates[0]}": "{name}"}}'
    return f"{name}: {quoted} could all be it; choose one, for example {call}"


def _nearest(name: str, known: object) -> str:
    near = difflib.get_close_matches(name, [str(n) for n in known], n=3)  # type: ignore[attr-defined]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _method_fits(variable: Variable, attrs: Mapping[object, object]) -> bool:
    """Whether `cell_methods` allows a variable to be this one.

    Examples
    --------
    >>> tasmax = {"cell_methods": "area: mean time: maximum"}
    >>> [_method_fits(CATALOGUE[n], tasmax) for n in ("temperature", "temperature_max")]
    [False, True]
    """
    found = re.search(r"\btime: (\w+)", str(attrs.get("cell_methods", "")))
    method = found[1] if found else "point"
    if variable.cell_method in ("maximum", "minimum"):
        return method == variable.cell_method
    return method in ("mean", "sum", "point")
