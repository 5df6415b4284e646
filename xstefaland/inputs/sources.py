"""Decide for every variable of a model whether it is given, derived or missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xstefaland.inputs.attributes import LATITUDE, Recipe, recipes_for
from xstefaland.inputs.matching import Match, Matcher

HIDDEN = "hidden for this target"
"""Reason of a variable that is masked even when it is given."""


@dataclass(frozen=True)
class Source:
    """Where one variable comes from: a match, a recipe, or (neither) nowhere."""

    name: str
    match: Match | None = None
    recipe: Recipe | None = None
    missing: str = ""

    @property
    def available(self) -> bool:
        """Whether there are values."""
        return not self.missing

    @property
    def how(self) -> str:
        """One word for the report."""
        if self.match:
            return self.match.how
        if self.recipe:
            return "derived"
        return "missing" if self.missing else "name"


class Resolver:
    """Resolves names to sources, through recipes where nothing is given.

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
        self._available: dict[str, Source] = {}

    def used(self, names: Iterable[str]) -> tuple[Source, ...]:
        """All sources behind some variables, each after what it is made from.

        Parameters
        ----------
        names : iterable of str
            Variables that have been resolved; missing ones are left out.

        Returns
        -------
        tuple of Source
            Without repetition.
        """
        chain: dict[str, Source] = {}
        for name in names:
            source = self._available.get(name)
            if source is None or name in chain:
                continue
            for part in self.used(source.recipe.ingredients if source.recipe else ()):
                chain.setdefault(part.name, part)
            chain[name] = source
        return tuple(chain.values())

    def resolve(self, name: str) -> Source:
        """Find out where a variable comes from.

        Parameters
        ----------
        name : str
            Canonical name, or exact name in the weights file.

        Returns
        -------
        Source
            With the reason where it is missing.
        """
        return self._resolve(name, frozenset())

    def _resolve(self, name: str, above: frozenset[str]) -> Source:
        if name in self._available:
            return self._available[name]
        if name == LATITUDE:
            return Source(name, missing="" if self._latitude else "unknown")
        match = self._matcher.find(name)
        source = Source(name, match) if match else self._derive(name, above | {name})
        if source.available:
            self._available[name] = source
        return source

    def _derive(self, name: str, above: frozenset[str]) -> Source:
        lacking: list[str] = []
        for recipe in recipes_for(name):
            if recipe.climate and self._no_climate:
                return Source(name, missing=self._no_climate)
            if above & set(recipe.ingredients):
                continue
            parts = [self._resolve(each, above) for each in recipe.ingredients]
            if all(part.available for part in parts):
                return Source(name, recipe=recipe)
            absent = [part.name for part in parts if not part.available]
            lacking.append(" and ".join(absent))
        needs = " or ".join(dict.fromkeys(lacking))
        return Source(name, missing=f"could be derived with {needs}" if needs else "-")
