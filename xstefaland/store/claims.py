"""Who works on what: several coordinators share a run through files.

A claim is a file that only one coordinator can create; it names its owner. An owner
shows that it lives by touching a file of its own. When it dies, by any signal, its
claims are taken over: at once on the same machine, where its process is seen to be
gone, else (and on Windows, where a process cannot be asked without harm) when its file
has not been touched for :data:`STALE` seconds. Several may
see this at the same moment, so the right to follow a dead owner is a claim itself:
who has it writes its own name over the dead one's, and the claim is never without
an owner in between.

Should a coordinator be taken for dead that is merely slow, two write the same region:
both write the same values, and every file whole, so nothing is lost but time.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from xstefaland.store.folders import Folder

BEAT, STALE = 5.0, 60.0
"""Seconds between two signs of life, and until a silent owner is taken for dead."""


class Coordinator:
    """One process that hands out regions; claims end when its ``with`` block does.

    Parameters
    ----------
    folder : Folder
        The folder that all coordinators of a run share.
    """

    def __init__(self, folder: Folder) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._folder = folder
        self._mine: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        """Start to show signs of life."""
        if self._folder.shared:
            who = {"host": socket.gethostname(), "pid": os.getpid()}
            self._folder.write(self._sign(self.name), json.dumps(who).encode())
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give all claims back."""
        self._ended.set()
        with contextlib.suppress(OSError):  # a full or vanished disk must not hide why
            for claim in list(self._mine):
                self.release(claim)
            self._folder.remove(self._sign(self.name))

    def claim(self, what: str) -> bool:
        """Claim something unless a living coordinator has; tell whether it worked."""
        if not self._folder.shared:
            return True
        mine = self._take(f"claims/{what}")
        if mine:
            self._mine.add(what)
        return mine

    def release(self, what: str) -> None:
        """Give a claim back, if it is still ours."""
        self._mine.discard(what)
        path = f"claims/{what}"
        if self._folder.shared and self._folder.read(path) == self.name.encode():
            self._folder.remove(path)

    def others(self) -> list[str]:
        """Names of the other coordinators that live."""
        if not self._folder.shared:
            return []
        names = [name.removesuffix(".json") for name in self._folder.names("alive")]
        return [name for name in names if name != self.name and self.is_alive(name)]

    def is_alive(self, owner: str) -> bool:
        """Tell whether a coordinator shows signs of life."""
        sign, mine = self._path(self._sign(owner)), self._path(self._sign(self.name))
        try:
            who = json.loads(sign.read_bytes())
            # The file server's clock is compared with itself, not with ours.
            silent = _now(mine) - sign.stat().st_mtime
        except (FileNotFoundError, ValueError):
            return False
        if who.get("host") == socket.gethostname() and not _runs(int(who["pid"])):
            return False
        return silent < STALE

    def _take(self, path: str) -> bool:
        """Become the owner of a file unless a living coordinator is."""
        while not self._folder.create(path, self.name.encode()):
            owner = self._folder.read(path)
            if owner is None:  # released just now
                continue
            if self.is_alive(owner.decode()):
                return False
            right = f"heirs/{path.rpartition('/')[2]}-{owner.decode()[-8:]}"
            if not self._take(right):
                return False
            try:
                if self._inherit(path, owner):
                    return True
            finally:
                self._folder.remove(right)
        return True

    def _inherit(self, path: str, owner: bytes) -> bool:
        """Follow a dead owner, unless another did before we had the right to."""
        if self._folder.read(path) != owner:
            return False
        self._folder.write(path, self.name.encode())
        return True

    def _beat(self) -> None:
        """Touch the sign of life until the end."""
        sign = self._path(self._sign(self.name))
        while not self._ended.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(sign)

    def _path(self, name: str) -> Path:
        """Where a file of the folder lies; only a shared folder is asked."""
        return Path(self._folder.root) / name

    @staticmethod
    def _sign(name: str) -> str:
        """Name of the file that shows a coordinator's life."""
        return f"alive/{name}.json"


def _now(sign: Path) -> float:
    """Return the file system's time [s], which a file just touched shows."""
    os.utime(sign)
    return sign.stat().st_mtime


def _runs(pid: int) -> bool:
    """Tell whether a process of this machine exists, or True where none can tell."""
    if os.name == "nt":  # there signal 0 is Ctrl-C; that the owner is silent decides
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
