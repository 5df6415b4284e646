"""Benchmarks: tasks as declarations, systems under one protocol, one command.

``xstefaland benchmark NAME --data DIR`` runs one and writes tables
and figures; :data:`PROTOCOLS` lists them. A task of one's own is a
:class:`Protocol`, passed to :func:`run_benchmark`.
"""

from xstefaland.training.benchmark.protocols import PROTOCOLS, Protocol
from xstefaland.training.benchmark.reconstruction import Reconstruction
from xstefaland.training.benchmark.running import run_benchmark
from xstefaland.training.benchmark.systems import SYSTEMS, Head, Table

__all__ = [
    "PROTOCOLS",
    "SYSTEMS",
    "Head",
    "Protocol",
    "Reconstruction",
    "Table",
    "run_benchmark",
]
