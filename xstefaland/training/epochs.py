"""Epochs of pretraining: batches drawn by the weights of their sources.

How often a source is seen depends on its weight alone, not on the length of its
records; within a source every site is seen as often as any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from xstefaland.errors import InputError
from xstefaland.training.corpus import Batch, Corpus
from xstefaland.training.shards import Bools, Ints

YEAR = 365  # days of a basin-year


class Epochs:
    """Shuffled batches of windows; each holds one source.

    Parameters
    ----------
    corpus : Corpus
        What to read.
    keep : mapping of str to ndarray of bool
        Per source, the sites to draw from.
    window : int
        Days of a window; shorter where a record is.
    size : int
        Windows of a batch.
    windows : int
        Windows of an epoch.

    Raises
    ------
    InputError
        When no source has a site with observed weather to draw from.
    """

    def __init__(
        self,
        corpus: Corpus,
        keep: Mapping[str, Bools],
        *,
        window: int,
        size: int,
        windows: int,
    ) -> None:
        self.corpus, self.size = corpus, size
        self.count = max(1, windows // size)
        self.days = {n: min(window, s.days) for n, s in corpus.shards.items()}
        usable = {
            name: np.flatnonzero(keep[name] & shard.usable(self.days[name]))
            for name, shard in corpus.shards.items()
            if shard.weight > 0
        }
        self.sites = {name: sites for name, sites in usable.items() if len(sites)}
        if not self.sites:
            raise InputError(
                f"no window of up to {window} days has precipitation and temperature "
                "on a quarter of its days at any site to train on; look at "
                "`corpus.sites[['site', 'days', 'source']]`, or hold out fewer places "
                "with `share_left_out=`"
            )

    def batches(self, *seed: int, first: int = 0) -> Iterator[Batch]:
        """One epoch; the same for the same seed.

        Parameters
        ----------
        *seed : int
            Of the epoch.
        first : int
            Batches to pass over, without reading them.

        Yields
        ------
        Batch
            Windows that start anywhere where weather was observed.
        """
        plan = self.plan(*seed)
        for number, (name, rows) in enumerate(plan[first:], first):
            rng = np.random.default_rng([*seed, number + 1])
            days, shard = self.days[name], self.corpus.shards[name]
            starts = [rng.choice(shard.starts(row, days)) for row in rows]
            yield self.corpus.batch(name, rows, np.array(starts), days)

    def plan(self, *seed: int) -> list[tuple[str, Ints]]:
        """Source and sites of every batch of an epoch, in a random order."""
        rng = np.random.default_rng([*seed, 0])
        plan = []
        for name, batches in self._shares(rng).items():
            rows = _turns(rng, self.sites[name], batches * self.size)
            plan += [(name, each) for each in rows.reshape(batches, self.size)]
        return [plan[index] for index in rng.permutation(len(plan))]

    def shares(self, *seed: int) -> pd.DataFrame:
        """Count what each source gives to an epoch, without reading it.

        Returns
        -------
        pandas.DataFrame
            One row a source: ``sites``, ``days`` of a window, ``updates`` and
            ``basin_years``, and the shares of the last two.
        """
        drawn = pd.Series([name for name, _ in self.plan(*seed)])
        updates = drawn.value_counts().reindex(list(self.sites), fill_value=0)
        table = pd.DataFrame({"updates": updates})
        table.insert(0, "sites", [len(rows) for rows in self.sites.values()])
        table.insert(1, "days", [self.days[name] for name in self.sites])
        table["basin_years"] = updates * self.size * table["days"] / YEAR
        for name in ("updates", "basin_years"):
            table[f"share_of_{name}"] = table[name] / table[name].sum()
        return table

    def _shares(self, rng: np.random.Generator) -> dict[str, int]:
        """Batches of each source: its share to within one, right on average."""
        weights = np.array([self.corpus.shards[name].weight for name in self.sites])
        ends = np.concatenate([[0.0], weights.cumsum() / weights.sum()])
        marks = np.floor(ends * self.count + rng.random())
        marks[-1] = self.count  # whatever rounding does
        counts = np.diff(marks).astype(int)
        return dict(zip(self.sites, counts.tolist(), strict=True))


def _turns(rng: np.random.Generator, sites: Ints, count: int) -> Ints:
    """So many sites in random order, each again only after all the others."""
    rounds = -(-count // len(sites))
    turns = [rng.permutation(sites) for _ in range(rounds)]
    return np.concatenate([*turns, sites[:0]])[:count]
