"""Where every variable of a model comes from: the Dataset, a recipe, or nowhere.

Variables of the catalogue are found by name, alias or CF standard name; never by the
size of their values.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import xarray as xr

from xstefaland.inputs.leaks import PRODUCTS, forbidden
from xstefaland.inputs.quantities import Kind, Variable
from xstefaland.inputs.recipes import LATITUDE, Recipe, recipes_for
from xstefaland.inputs.requirements import Requirements
from xstefaland.inputs.variables import CATALOGUE

_ALIASES = {alias.lower(): v.name for v in CATALOGUE.values() for alias in v.aliases}
_STANDARD: dict[str, list[str]] = {}
for _variable in CATALOGUE.values():
    for _standard_name in _variable.standard_names:
        _STANDARD.setdefault(_standard_name, []).append(_variable.name)

_LEVELS = {"level", "plev", "pressure_level", "isobaricinhpa", "lev", "model_level"}
SEVERAL = "several could be it, see the problems"
HIGHEST = 20.0  # [m] above the ground; CMIP and ERA5 give weather at 2 and 10 m


@dataclass(frozen=True)
class Origin:
    """Where the values of one variable come from.

    Attributes
    ----------
    name : str
        Canonical name, or exact name in the weights file.
    how : str
        ``"name"``, ``"alias"``, ``"standard_name"``, ``"rename"`` (in the Dataset),
        ``"derived"``, ``"missing"``, or ``"hidden"`` (masked for this target).
    source : str
        Name in the Dataset, where it is given.
    recipe : Recipe or None
        How it is derived.
    why : str
        Why it is missing, where that is known.
    """

    name: str
    how: str
    source: str = ""
    recipe: Recipe | None = None
    why: str = ""

    @property
    def available(self) -> bool:
        """Whether there are values."""
        return self.how not in ("missing", "hidden")


class Matcher:
    """Finds the variables of one Dataset, on request and at most once each.

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
    >>> matcher.find("precipitation").source
    'pr'
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
        self._names = {str(name) for name in ds.variables}
        self._exact = {v.name for v in requirements.variables} | CATALOGUE.keys()
        self._wanted = {v.name for v in requirements.variables}
        self._as_is = {v.name for v in requirements.variables if v.catalogued is None}
        self._kinds: dict[str, Kind] = {n: v.kind for n, v in CATALOGUE.items()}
        self._kinds |= {v.name: "forcing" for v in requirements.forcing}
        self._kinds |= {v.name: "attribute" for v in requirements.attributes}
        self._found: dict[str, Origin | None] = {}
        self._known: dict[str, tuple[str | None, str | None]] = {}
        self._renamed = self._checked(rename or {})

    def find(self, name: str) -> Origin | None:
        """Find the variable of the Dataset that stands for a name.

        Parameters
        ----------
        name : str
            Canonical name, or exact name in the weights file.

        Returns
        -------
        Origin or None
            None where there is no candidate, or more than one.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

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
        reason = self._forbidden(source)
        if reason is not None:
            return reason
        kind = self._ds.variables[source].dtype.kind
        if kind in "OSUT":
            return "text"
        name = self._means(source)
        if name is None:
            return "true or false" if kind == "b" else "not a known name"
        if self._kinds[name] == "forcing" and "time" not in self._ds.dims:
            return "weather, but the Dataset has no dimension 'time'"
        misfit = self._misfit(source, name)
        if misfit:
            return f"looks like {name}, but {misfit}"
        origin = self._found.get(name)
        if origin:
            return f"{name} is taken from {origin.source!r}"
        if name in self.ambiguous:
            return f"one of several that could be {name}"
        return f"{name} is not used by these weights"

    def _find(self, name: str) -> Origin | None:
        """Go by rename, exact name, then aliases; of two of these none is chosen."""
        for source, target in self._renamed.items():
            if target == name:
                return Origin(name, "rename", source)
        there = name in self._candidates and self._named(name) == name
        if there and not self._misfit(name, name):
            return Origin(name, "name", name)
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
        return Origin(name, "alias" if source in by_name else "standard_name", source)

    def _spelled(self, name: str) -> list[str]:
        """Variables called by an alias; exact case decides between spellings."""
        sources = [s for s in self._candidates if self._named(s) == name != s]
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
            and self._forbidden(str(name)) is None
        )

    def _forbidden(self, source: str) -> str | None:
        """Why it must not be an input; a name of the weights file always may."""
        return None if source in self._wanted else forbidden(source, self._names)

    def _means(self, source: str) -> str | None:
        """Say what a variable stands for by name and attributes, whatever its shape."""
        return self._named(source) or self._standard(source)

    def _named(self, source: str) -> str | None:
        """Say what a variable stands for by its spelling."""
        return self._meanings(source)[0]

    def _standard(self, source: str) -> str | None:
        """Say what it stands for by its attributes, where its spelling says nothing."""
        return self._meanings(source)[1]

    def _meanings(self, source: str) -> tuple[str | None, str | None]:
        """Both, found out once: every variable of the model asks."""
        if source not in self._known:
            named = self._by_spelling(source)
            standard = None if named is not None else self._by_attributes(source)
            self._known[source] = (named, standard)
        return self._known[source]

    def _by_spelling(self, source: str) -> str | None:
        """Catalogue name by name or alias, corrected by the cell method."""
        if source in self._as_is:
            return source
        name = source if source in self._exact else _ALIASES.get(source.lower())
        if name is None:  # prcp_daymet, temperature_era5
            plain = PRODUCTS.sub("", source)
            name = plain if plain in CATALOGUE else _ALIASES.get(plain.lower())
        return None if name is None else self._by_method(source, name)

    def _by_method(self, source: str, name: str) -> str | None:
        """Correct a name by what the variable says of itself: cell method, daylight."""
        attrs = self._ds.variables[source].attrs
        if name == "shortwave_radiation" and self._daylight(source):
            return "daylight_shortwave_radiation"
        method, known = _time_method(attrs), CATALOGUE.get(name)
        if known is None or method not in ("maximum", "minimum"):
            return name
        if known.cell_method in (method, "maximum", "minimum"):
            return name  # the name is as clear as the method, and nearer
        family = [n for s in known.standard_names for n in _STANDARD[s]]
        fitting = [n for n in family if CATALOGUE[n].cell_method == method]
        return fitting[0] if fitting else None

    def _daylight(self, source: str) -> bool:
        """Whether a radiation is Daymet's: a mean over daylight, beside its length."""
        if not re.fullmatch(r"srad(_daymet)?", source, re.IGNORECASE):
            return False
        said = str(self._ds.variables[source].attrs.get("long_name", "")).lower()
        beside = re.compile(r"dayl(ength)?(_\w+)?", re.IGNORECASE)
        return "daylight" in said or any(map(beside.fullmatch, self._names))

    def _by_attributes(self, source: str) -> str | None:
        """Catalogue name by standard_name and, where it matters, cell_methods."""
        attrs = self._ds.variables[source].attrs
        names = _STANDARD.get(str(attrs.get("standard_name", "")), [])
        fitting = [n for n in names if _method_fits(CATALOGUE[n], attrs)]
        return fitting[0] if len(fitting) == 1 else None

    def _misfit(self, source: str, name: str) -> str:
        """Why a variable cannot be `name` by its place, or an empty string."""
        dims = self._ds.variables[source].dims
        if self._kinds[name] == "forcing":
            if "time" not in dims:
                return "it has no dimension 'time'"
            return "" if name in self._as_is else self._aloft(source)
        if "time" in dims:
            return "it has the dimension 'time'"
        if self.site_dims is None or not dims or set(dims) & set(self.site_dims):
            return ""
        return f"its dimension {str(dims[0])!r} is not one of the forcing's"

    def _aloft(self, source: str) -> str:
        """Say when a variable lies on a pressure level, or far above the ground."""
        if self._ds.variables[source].attrs.get("GRIB_typeOfLevel") == "isobaricInhPa":
            return "it lies on a pressure level"
        for label, level in self._ds[source].coords.items():
            if level.ndim or level.dtype.kind not in "fiu":
                continue
            standard = level.attrs.get("standard_name")
            if str(label).lower() in _LEVELS or standard == "air_pressure":
                return f"it lies on a level ({label} {level.item():g})"
            if standard == "height" and level.item() > HIGHEST:
                return f"it lies {level.item():g} m above the ground"
        return ""

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
        """Why an entry of `rename` is wrong, or an empty string."""
        if source not in self._ds.variables:
            if name in self._ds.variables and source in self._exact:
                return (
                    f'the Dataset\'s name goes first: rename={{"{name}": "{source}"}}'
                )
            near = _nearest(source, self._names)
            return f"the Dataset has no variable {source!r}{near}"
        if name not in self._exact:
            return (
                f"{name!r} is not a name the package knows{_nearest(name, self._exact)}"
            )
        if name in checked.values():
            return f"{name!r} is given to two variables; leave one out"
        return ""


class Resolver:
    """Decides for every variable whether it is given, derived or missing.

    Parameters
    ----------
    matcher : Matcher
        Finds variables in the Dataset.
    latitude : bool
        Whether the latitude of the sites is known.
    no_climate : str
        Why climate attributes cannot be derived, or an empty string.
    """

    def __init__(
        self, matcher: Matcher, *, latitude: bool, no_climate: str = ""
    ) -> None:
        self._matcher = matcher
        self._latitude = latitude
        self._no_climate = no_climate
        self._available: dict[str, Origin] = {}

    def behind(self, names: Iterable[str]) -> tuple[Origin, ...]:
        """All origins behind some variables, each after what it is made from.

        Parameters
        ----------
        names : iterable of str
            Variables that have been resolved; missing ones are left out.

        Returns
        -------
        tuple of Origin
            Without repetition.
        """
        chain: dict[str, Origin] = {}
        for name in names:
            origin = self._available.get(name)
            if origin is None or name in chain:
                continue
            parts = origin.recipe.ingredients if origin.recipe else ()
            for part in self.behind(parts):
                chain.setdefault(part.name, part)
            chain[name] = origin
        return tuple(chain.values())

    def apart(self) -> Resolver:
        """Keep what is resolved and leave the Dataset."""
        nothing = Matcher(xr.Dataset(), Requirements(()))
        out = Resolver(nothing, latitude=self._latitude, no_climate=self._no_climate)
        out._available = dict(self._available)
        return out

    def resolve(self, name: str) -> Origin:
        """Find out where a variable comes from.

        Parameters
        ----------
        name : str
            Canonical name, or exact name in the weights file.

        Returns
        -------
        Origin
            With the reason where it is missing.
        """
        return self._resolve(name, frozenset())

    def _resolve(self, name: str, above: frozenset[str]) -> Origin:
        """Find or derive; what stands `above` waits for this, so is no ingredient."""
        if name in self._available:
            return self._available[name]
        if name == LATITUDE:
            how = "name" if self._latitude else "missing"
            return Origin(name, how, why="" if self._latitude else "unknown")
        origin = self._matcher.find(name) or self._derive(name, above | {name})
        if name in self._matcher.ambiguous and not origin.available:
            origin = Origin(name, "missing", why=SEVERAL)
        if origin.available:
            self._available[name] = origin
        return origin

    def _derive(self, name: str, above: frozenset[str]) -> Origin:
        """Take the first recipe whose ingredients are there, or say what is lacking."""
        lacking: list[str] = []
        for recipe in recipes_for(name):
            if recipe.climate and self._no_climate:
                return Origin(name, "missing", why=self._no_climate)
            if above & set(recipe.ingredients):
                continue
            parts = [self._resolve(each, above) for each in recipe.ingredients]
            if all(part.available for part in parts):
                return Origin(name, "derived", recipe=recipe)
            absent = [part.name for part in parts if not part.available]
            if not any(map(_nobody_has, absent)):
                lacking.append(" and ".join(absent))
        needs = " or ".join(dict.fromkeys(lacking))
        why = f"could be derived with {needs}" if needs else ""
        return Origin(name, "missing", why=why)


def _nobody_has(name: str) -> bool:
    """Whether no product gives this variable under a name of its own."""
    known = CATALOGUE.get(name)
    return known is not None and not (known.aliases or known.standard_names)


def _ambiguous(name: str, candidates: list[str]) -> str:
    """Say which variables could be it, with the call that chooses one."""
    quoted = " and ".join(repr(source) for source in candidates)
    call = f'rename={{"{candidates[0]}": "{name}"}}'
    return f"{name}: {quoted} could all be it; choose one, for example {call}"


def _nearest(name: str, known: Iterable[str]) -> str:
    """End of a message that asks for the names meant; empty where none is near."""
    near = difflib.get_close_matches(name, list(known), n=3)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _time_method(attrs: Mapping[object, object]) -> str:
    """How values come from the hours of a day, by `cell_methods`.

    Examples
    --------
    >>> _time_method({"cell_methods": "area: mean time: maximum"})
    'maximum'
    """
    found = re.search(r"\btime: (\w+)", str(attrs.get("cell_methods", "")))
    return found[1] if found else "point"


def _method_fits(variable: Variable, attrs: Mapping[object, object]) -> bool:
    """Whether `cell_methods` allows a variable to be this one.

    Examples
    --------
    >>> tasmax = {"cell_methods": "area: mean time: maximum"}
    >>> [_method_fits(CATALOGUE[n], tasmax) for n in ("temperature", "temperature_max")]
    [False, True]
    """
    method = _time_method(attrs)
    if variable.cell_method in ("maximum", "minimum"):
        return method == variable.cell_method
    return method in ("mean", "sum", "point")
