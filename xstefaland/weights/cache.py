"""Where weights come from: the package, the cache, a folder, the network (pooch)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from xstefaland.errors import OfflineError, WeightsError, pip_install
from xstefaland.options import get_options
from xstefaland.weights import registry
from xstefaland.weights.files import sha256_of
from xstefaland.weights.registry import Entry

if TYPE_CHECKING:
    from requests import RequestException

BASE_URL = "https://github.com/xstefaland/xstefaland/releases/download"
"""Where released weights lie, as ``<BASE_URL>/<version>/<file>``.

**Not live yet**: until the first release is made, only the bundled weights, files of
your own and ``XSTEFALAND_WEIGHTS_URL`` work.
"""

TIMEOUT = 30.0  # seconds without an answer
ATTEMPTS = 4
WAIT = 1.0  # seconds before the second attempt, doubled for each further one


def cache_dir() -> Path:
    """Return the folder for downloaded weights; it need not exist.

    Returns
    -------
    Path
        From ``set_options(cache_dir=...)``, else the environment variable
        ``XSTEFALAND_CACHE``, else the operating system's cache folder. Both are read
        at each call.
    """
    import pooch

    option: Path | None = get_options()["cache_dir"]
    if option is not None:
        return option.expanduser()
    variable = os.environ.get("XSTEFALAND_CACHE")
    if variable:
        return Path(variable).expanduser()
    return Path(pooch.os_cache("xstefaland"))


def is_offline() -> bool:
    """Tell whether the network must not be used.

    Returns
    -------
    bool
        From ``set_options(offline=True)`` or ``XSTEFALAND_OFFLINE=1``.
    """
    variable = os.environ.get("XSTEFALAND_OFFLINE", "").strip().lower()
    return bool(get_options()["offline"]) or variable in ("1", "true", "yes", "on")


def base_url() -> str:
    """Return the address or folder that holds the released weights.

    Returns
    -------
    str
        ``XSTEFALAND_WEIGHTS_URL`` (http, https, file or a folder), else
        :data:`BASE_URL`.
    """
    return os.environ.get("XSTEFALAND_WEIGHTS_URL") or BASE_URL


def cached_path(entry: Entry) -> Path:
    """Return where the file of an entry lies once it is there."""
    if entry.bundled:
        return registry.BUNDLED / entry.file
    return cache_dir() / entry.version / entry.file


def is_cached(entry: Entry) -> bool:
    """Tell by name and size, without hashing, whether an entry needs no network."""
    path = cached_path(entry)
    return path.is_file() and path.stat().st_size == entry.size


def fetch_entry(entry: Entry, *, attempts: int = ATTEMPTS, wait: float = WAIT) -> Path:
    """Return a verified local file for an entry, downloading it if needed.

    Parameters
    ----------
    entry : Entry
        A line of the table.
    attempts : int
        How often a download is tried.
    wait : float
        Seconds before the second attempt, doubled for each further one.

    Returns
    -------
    Path
        A file whose sha256 is the table's; it is hashed at every call.

    Raises
    ------
    WeightsError
        When the file cannot be had, or is not the one the table lists.
    OfflineError
        When it would have to be downloaded and the package is offline.
    """
    if entry.sha256 is None:
        raise WeightsError(
            f"Weights '{entry.name}' are listed but not published yet. Train them "
            "(`python -m benchmarks.weights`), or pass a file of your own."
        )
    path = cached_path(entry)
    if path.is_file() and sha256_of(path) == entry.sha256:
        return path
    if entry.bundled:
        raise WeightsError(
            f"The bundled weights '{entry.name}' are missing or damaged: '{path}' must "
            f"have sha256 {entry.sha256}. Install again: "
            f"`{pip_install(options='--force-reinstall --no-deps')}`."
        )
    folder = _as_folder(base_url())
    if folder is not None:
        return _from_folder(entry, folder)
    if entry.retired and not os.environ.get("XSTEFALAND_WEIGHTS_URL"):
        raise WeightsError(_retired_message(entry, path))
    if is_offline():
        raise OfflineError(_offline_message(entry, path))
    return _download(entry, path, attempts, wait)


def _as_folder(address: str) -> Path | None:
    """Return the folder an address means, or None for http(s)."""
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        return None
    if parts.scheme == "file":
        return Path(url2pathname(parts.path))
    return Path(address).expanduser()


def _from_folder(entry: Entry, folder: Path) -> Path:
    """Use a file of a local mirror in place."""
    path = folder / entry.version / entry.file
    if not path.is_file():
        path = folder / entry.file
    if not path.is_file():
        raise WeightsError(
            f"XSTEFALAND_WEIGHTS_URL names the folder '{folder}', but it holds neither "
            f"'{entry.version}/{entry.file}' nor '{entry.file}'. Put the file with "
            f"sha256 {entry.sha256} there."
        )
    if sha256_of(path) != entry.sha256:
        raise WeightsError(
            f"'{path}' has sha256 {sha256_of(path)}, but weights '{entry.name}' have "
            f"{entry.sha256}. Replace the file by the released one."
        )
    return path


def _download(entry: Entry, path: Path, attempts: int, wait: float) -> Path:
    """Download with retries; pooch moves a file into place only if its hash is right.

    The loop is ours because pooch also repeats what cannot succeed (404), and its
    waiting times are fixed.
    """
    import pooch
    from requests import RequestException

    url = _url(entry)
    downloader = pooch.HTTPDownloader(timeout=TIMEOUT)
    for attempt in range(1, attempts + 1):
        try:
            pooch.retrieve(
                url,
                known_hash=f"sha256:{entry.sha256}",
                fname=path.name,
                path=path.parent,
                downloader=downloader,
            )
            return path
        except (RequestException, ValueError) as error:
            hopeless = isinstance(error, RequestException) and _is_permanent(error)
            if attempt == attempts or hopeless:
                raise WeightsError(_download_message(entry, path, error)) from error
        except OSError as error:
            raise WeightsError(
                f"Cannot write weights '{entry.name}' to the cache folder "
                f"'{path.parent}' ({error}). Choose another one: "
                "`xstefaland.set_options(cache_dir=...)` or XSTEFALAND_CACHE."
            ) from error
        time.sleep(wait * 2 ** (attempt - 1))
    raise WeightsError(f"attempts={attempts} is not possible; use 1 or more.")


def _url(entry: Entry) -> str:
    """Return the address of a released file."""
    return f"{base_url().rstrip('/')}/{entry.version}/{entry.file}"


def _is_permanent(error: RequestException) -> bool:
    """Tell whether the server answered that trying again is useless."""
    if error.response is None:
        return False
    error.response.close()  # pooch leaves the connection of a refused request open
    status = error.response.status_code
    return 400 <= status < 500 and status not in (408, 429)


def _offline_message(entry: Entry, path: Path) -> str:
    """Say what is missing offline, and how to get it."""
    damaged = (
        f" The file there has another sha256 ({sha256_of(path)})."
        if path.is_file()
        else ""
    )
    return (
        f"Weights '{entry.name}' are not in the cache, and xstefaland is set offline."
        f"{damaged} {_by_hand(entry, path)} Or go online: unset XSTEFALAND_OFFLINE and "
        "`xstefaland.set_options(offline=False)`."
    )


def _retired_message(entry: Entry, path: Path) -> str:
    """Say which release had weights that no longer ship."""
    release = entry.bundled_in
    return (
        f"Weights '{entry.name}' no longer ship: they were bundled in xstefaland "
        f"{release}. Take '{entry.file}' from there (`pip download --no-deps "
        f"xstefaland=={release}`; the wheel is a zip file, it lies in "
        f"xstefaland/weights/bundled) and put it at '{path}', or set "
        "XSTEFALAND_WEIGHTS_URL to a folder that holds it."
    )


def _download_message(entry: Entry, path: Path, error: Exception) -> str:
    """Say why a download failed, and the ways around it."""
    return (
        f"Could not download weights '{entry.name}' from {_url(entry)}: {error}. "
        f"{_by_hand(entry, path)} Or set XSTEFALAND_WEIGHTS_URL to a mirror (an "
        "address or a folder), or pass a path instead of the name."
    )


def _by_hand(entry: Entry, path: Path) -> str:
    """Say where the file lies and where it belongs."""
    return (
        f"By hand: get {_url(entry)} (file '{entry.file}', sha256 {entry.sha256}) and "
        f"put it at '{path}'."
    )
