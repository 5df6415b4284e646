"""What a system is given, and what it has to be able to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from xstefaland.errors import InputError
from xstefaland.training.fitting import Finetuning, Predicted
from xstefaland.training.tasks import Task
from xstefaland.weights.files import Weights


class Unavailable(InputError):
    """A system needs what is not here: it is passed over, and the page says why."""


class OutOfTime(Exception):
    """A system needs more time than it has.

    Attributes
    ----------
    share : float
        How far it came, 0 to 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__(f"out of time at {share:.0%}")
        self.share = share


@dataclass(frozen=True)
class Work:
    """What a system is given: a task with roles, a budget, a place for files.

    Attributes
    ----------
    task : Task
        Sites are "train", "held out" or "dropped".
    encoder : Weights
        Whose embeddings heads take.
    settings : Finetuning
        Budget and seed.
    folder : Path
        Of this piece of work: its checkpoint.
    shared : Path
        Of the target: what its pieces have in common.
    whole : Task
        The same task with every site in it, which is what is embedded.
    progress : callable
        Called now and then with the share that is done, 0 to 1; it raises
        :class:`OutOfTime` when the system has had its time.
    """

    task: Task
    encoder: Weights
    settings: Finetuning
    folder: Path
    shared: Path
    whole: Task
    progress: Callable[[float], object] = field(default=lambda share: None)

    @property
    def of_encoder(self) -> Path:
        """Folder of what pieces with this encoder have in common: its embeddings."""
        return self.shared / f"encoder-{self.encoder.sha256[:12]}"


class System(Protocol):
    """Anything that can be compared."""

    def run(self, work: Work) -> Predicted:
        """Train on the training sites and predict those held out."""
