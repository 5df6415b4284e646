"""What is asked of every region, whatever its sites: a target and its options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import xarray as xr

from xstefaland.errors import InputError, MissingVariableError, join_problems
from xstefaland.inference import api
from xstefaland.inference.asks import (
    Ask,
    AskEmbedding,
    AskReconstruction,
    AskTargets,
)
from xstefaland.inference.lazy import EMBEDDING, Settings
from xstefaland.inference.plans import HeadGroup, plan_encoder, plan_predictions
from xstefaland.inputs.examine import Examination, examine
from xstefaland.inputs.hints import Hints
from xstefaland.inputs.requirements import Requirements
from xstefaland.weights import Weights

RECONSTRUCTION = "reconstruction"
Target = str | list[str] | tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A target and how it is to be answered.

    Parameters
    ----------
    target : str or list of str
        Targets of heads, ``"embedding"`` or ``"reconstruction"``.
    options : dict
        Keywords of :func:`xstefaland.predict`, ``embed`` or ``reconstruct``.
    """

    target: Target
    options: dict[str, Any] = field(default_factory=dict)

    def answer(self, ds: xr.Dataset, where: Mapping[str, Any]) -> xr.Dataset:
        """Answer for some sites (``ds.isel(where)``) with all labels, lazily.

        What is in memory becomes lazy too: nothing is computed for a template, and a
        site of sea, all of it missing, is not taken for a broken Dataset.
        """
        ds, options = ds.isel(where).chunk(), self._options_at(where)
        if self.target == EMBEDDING:
            return api.embed(ds, **options).to_dataset()
        if self.target == RECONSTRUCTION:
            return api.reconstruct(ds, **options)
        return api.predict(ds, self._targets, **options)

    def _options_at(self, where: Mapping[str, Any]) -> dict[str, Any]:
        """Options for some sites: what has a value for each goes by place or label."""
        out = dict(self.options)
        for name in ("latitude", "climate"):
            if isinstance(table := out.get(name), xr.DataArray | xr.Dataset):
                places = {d: cut for d, cut in where.items() if d not in table.xindexes}
                out[name] = table.isel(places, missing_dims="ignore")
        return out

    def weights(self) -> tuple[list[Weights], list[Requirements]]:
        """Open the weights that answer; return them and what they ask of a Dataset."""
        if self.target in (EMBEDDING, RECONSTRUCTION):
            encoder, asked = self._encoder
            return [encoder], [asked]
        plans = self._plans
        opened = [p.encoder for p in plans] + [
            h.weights for p in plans for h in p.heads
        ]
        return opened, [plan.requirements for plan in plans]

    def asks(self) -> list[Ask]:
        """Return what to ask, one for each of the requirements of :meth:`weights`."""
        names = ("batch_size", "device", "precision", "causal", "max_gap")
        settings = Settings.current(**self._given(names))
        by = self.options.get("missing_by", "site")
        if self.target == EMBEDDING:
            pool = self.options.get("pool")
            return [AskEmbedding.of(self._encoder[0], settings, pool, by)]
        if self.target == RECONSTRUCTION:
            add = self.options.get("add", False)
            return [AskReconstruction.of(self._encoder[0], settings, add)]
        levels = self.options.get("quantiles")
        return [AskTargets.of(plan, settings, levels, by) for plan in self._plans]

    def examine(self, ds: xr.Dataset, asked: list[Requirements]) -> list[Examination]:
        """Examine a whole Dataset; nothing lazy is computed."""
        names = ("rename", "units", "latitude", "climate", "causal")
        hints = Hints.of(**self._given(names))
        return [examine(ds, each, hints) for each in asked]

    def _given(self, names: Sequence[str]) -> dict[str, Any]:
        """Options of these names that were given; the others keep their defaults."""
        return {name: self.options[name] for name in names if name in self.options}

    @cached_property
    def _encoder(self) -> tuple[Weights, Requirements]:
        """Encoder and what it asks for, opened once for all regions."""
        fills = self.target == RECONSTRUCTION
        return plan_encoder(self.options.get("weights"), fills=fills)

    @cached_property
    def _plans(self) -> list[HeadGroup]:
        """Plans of the targets, opened once for all regions."""
        options = (self.options.get("head"), self.options.get("weights"))
        causal = bool(self.options.get("causal", False))
        plans = plan_predictions(self._targets, *options, causal=causal)
        # As in `predict`: what was missing is said of the last target's inputs.
        return sorted(plans, key=lambda plan: max(map(self._place, plan.targets)))

    def _place(self, target: str) -> int:
        """Place of a target in the order in which they were asked for."""
        return self._targets.index(target)

    @property
    def _targets(self) -> list[str]:
        """Targets of heads as a list; what is a run of its own is refused."""
        if isinstance(self.target, str):
            return [self.target]
        beside = [n for n in self.target if n in (EMBEDDING, RECONSTRUCTION)]
        if beside:
            raise InputError(
                f"target={self.target!r} is not possible; '{beside[0]}' is a run of "
                f"its own: target='{beside[0]}'."
            )
        return list(self.target)


def question(target: Target, given: Mapping[str, Any]) -> Question:
    """Ask for a target with the keywords that are given.

    Raises
    ------
    InputError
        For keywords that the target does not take.

    Examples
    --------
    >>> question("embedding", {"pool": "mean"}).options
    {'pool': 'mean'}
    """
    common = {"weights", "rename", "units", "latitude", "climate"}
    common |= {"batch_size", "device", "precision"}
    daily = {"causal", "max_gap", "missing_by"}
    takes = common | daily | {"head", "quantiles"}
    if target == EMBEDDING:
        takes = common | daily | {"pool"}
    elif target == RECONSTRUCTION:
        takes = common | {"add"}
    extra = [name for name in given if name not in takes]
    if extra:
        raise InputError(
            f"target={target!r} does not take {', '.join(f'{n}=' for n in extra)}; "
            "leave it out."
        )
    return Question(target, dict(given))


def refuse_problems(found: Sequence[Examination]) -> None:
    """Refuse a Dataset that cannot be used.

    Raises
    ------
    InputError
        With everything that is wrong with it.
    MissingVariableError
        When nothing else is wrong.
    """
    problems = list(dict.fromkeys(p for f in found for p in f.report.problems))
    missing = {text for each in found for text in each.report.missing}
    if problems:
        kind = MissingVariableError if missing >= set(problems) else InputError
        raise kind(join_problems("the Dataset cannot be used", problems))


def sources(found: Sequence[Examination]) -> list[str]:
    """Names of the Dataset's variables that are read."""
    return sorted({r.source for each in found for r in each.readings.values()})


def read_as(found: Sequence[Examination]) -> dict[str, str]:
    """Variables of the Dataset that are read, by canonical name."""
    return {name: r.source for each in found for name, r in each.readings.items()}
