"""Weights files: one safetensors file with a JSON card, written and read safely."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xstefaland.errors import (
    InputError,
    WeightsError,
    WeightsNotFoundError,
    join_problems,
)
from xstefaland.weights import network
from xstefaland.weights.card import FORMAT, Card
from xstefaland.weights.members import Member

if TYPE_CHECKING:
    from torch import Tensor, nn

METADATA_KEY = "xstefaland"
"""Key of the card in the safetensors metadata."""

LONGEST_HEADER = 4 * 2**20
"""Bytes of names, shapes and card that a file may start with: reading JSON takes up to
twenty times its length in memory."""

# what readers of safetensors raise on bytes that are none
DAMAGED = (OSError, ValueError, KeyError, TypeError, RuntimeError, RecursionError)


@dataclass(frozen=True, repr=False)
class Weights:
    """A weights file whose card was read; tensors are read when asked for.

    Two are equal when their files hold the same bytes.

    Parameters
    ----------
    card : Card
        What the file says about itself.
    path : Path
        The file.
    sha256 : str
        Hash of the whole file.

    Examples
    --------
    >>> import xstefaland
    >>> weights = xstefaland.weights.load("path/to/file.safetensors")  # doctest: +SKIP
    >>> weights.card.forcing[0].units  # doctest: +SKIP
    'mm d-1'
    """

    card: Card = field(compare=False)
    path: Path = field(compare=False)
    sha256: str

    @property
    def name(self) -> str:
        """Name of the weights, from the card."""
        return self.card.name

    @property
    def kind(self) -> str:
        """What the file holds: ``"encoder"`` or ``"head"``."""
        return self.card.kind

    @property
    def members(self) -> tuple[Card | Member, ...]:
        """What its networks are: the members of an ensemble, or the card itself."""
        return self.card.networks

    def __repr__(self) -> str:
        """Say what the card says, and where the file is."""
        from xstefaland.weights import summary

        return f"{summary.text(self.card)}\n{self.path} (sha256 {self.sha256})"

    def _repr_html_(self) -> str:
        """Say what the card says, for a notebook."""
        from xstefaland.weights import summary

        return summary.html(self.card)

    def __dask_tokenize__(self) -> str:
        """Identify the weights in a dask graph by content, not by object."""
        return self.sha256

    def tensors(self) -> dict[str, Tensor]:
        """Read all tensors on the CPU; half precision comes back as float32.

        The bytes that are hashed are those that the tensors are made from: a file
        that was replaced is noticed, whatever its time and size.

        Raises
        ------
        WeightsError
            When the file changed after it was opened.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        content = self.path.read_bytes() if self.path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise WeightsError(
                f"'{self.path}' has changed since it was opened, or is gone; open it "
                f"again with `xstefaland.weights.load('{self.path}')`."
            )
        try:
            tensors = load(content)
        except (SafetensorError, *DAMAGED) as error:
            raise WeightsError(_not_safetensors(self.path, error)) from None
        return {
            name: tensor.float() if tensor.is_floating_point() else tensor
            for name, tensor in tensors.items()
        }

    def model(self) -> nn.Module:
        """Build the network and fill it; in evaluation mode, on the CPU.

        Raises
        ------
        WeightsError
            When the configuration is impossible, or tensors are left over, missing,
            of another shape or no numbers, or are not what the card says; everything
            is listed.
        """
        return network.build(self.card, self.tensors(), source=str(self.path))


def read(path: str | os.PathLike[str]) -> Weights:
    """Open a weights file: check it, read its card, leave the tensors.

    Parameters
    ----------
    path : path
        A file written by :func:`save`.

    Returns
    -------
    Weights
        The opened file.

    Raises
    ------
    WeightsNotFoundError
        When there is no such file.
    WeightsError
        When it is no weights file of this package, or from a newer one.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsNotFoundError(
            f"There is no weights file '{path}'. Pass an existing file, or a name "
            "listed by `xstefaland.weights.list()`."
        )
    header, sha256 = _header_and_hash(path)
    metadata = header.get("__metadata__") or {}
    if METADATA_KEY not in metadata:
        raise WeightsError(
            f"'{path}' is a safetensors file without the card of an xstefaland "
            "weights file. A state dict of the original StefaLand is converted by "
            "`xstefaland.weights.convert_original(path, forcing=..., "
            "attributes=..., out=...)`."
        )
    try:
        card = Card.from_json(metadata[METADATA_KEY])
    except WeightsError as error:
        raise WeightsError(f"'{path}' cannot be used: {error}") from error
    return Weights(card=card, path=path.resolve(), sha256=sha256)


def _header_and_hash(path: Path) -> tuple[dict[str, Any], str]:
    """Read the header and hash the whole file in one pass over the same bytes."""
    from safetensors import SafetensorError, safe_open

    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            length = file.read(8)
            size = int.from_bytes(length, "little")
            if size > LONGEST_HEADER:
                raise ValueError(f"its header claims {size} bytes")
            header = file.read(size)
            digest.update(length + header)
            hashlib.file_digest(file, lambda: digest)
        with safe_open(path, framework="numpy"):
            pass  # names, shapes and lengths are what the library takes for sound
        return dict(json.loads(header)), digest.hexdigest()
    except (SafetensorError, *DAMAGED) as error:
        raise WeightsError(_not_safetensors(path, error)) from None


def save(
    path: str | os.PathLike[str],
    module_state: Mapping[str, Tensor],
    card: Card,
    dtype: Literal["float32", "float16"] = "float32",
) -> Weights:
    """Write a weights file in one step: it is complete or not there.

    The same tensors and card give the same bytes.

    Parameters
    ----------
    path : path
        The file to write; replaced when it exists.
    module_state : mapping of str to Tensor
        The module's ``state_dict()``.
    card : Card
        What goes into the file beside the tensors. An empty ``package_version`` is
        filled in.
    dtype : {"float32", "float16"}
        Storage of matrices. Vectors (biases, norms, scaling) always stay float32: they
        weigh nothing, and a mean of 1e5 Pa does not fit float16; nor does any matrix
        that would overflow.

    Returns
    -------
    Weights
        The written file.

    Raises
    ------
    WeightsError
        When scaling or limits inside the tensors are not those of the card.
    """
    from safetensors.torch import save_file

    if dtype not in ("float32", "float16"):
        raise InputError(f"dtype='{dtype}' is not possible; use 'float32' or 'float16'")
    problems = network.card_problems(card, module_state)
    if problems:
        raise WeightsError(join_problems(f"cannot write '{path}'", problems))
    card = replace(
        card, format=FORMAT, package_version=card.package_version or _package_version()
    )
    path = Path(path)
    stored = {name: _stored(tensor, dtype) for name, tensor in module_state.items()}
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        save_file(stored, temporary, metadata={METADATA_KEY: card.to_json()})
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return read(path)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Hash a whole file, every time: 5 ms for 10 MB.

    Time and size are no proof that a file is the one that was hashed before.

    Parameters
    ----------
    path : path
        An existing file.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _not_safetensors(path: Path, error: Exception) -> str:
    """Say why a file cannot be opened, and what to do with a pickled checkpoint."""
    with path.open("rb") as file:
        start = file.read(4)
    if start[:2] == b"\x80\x02" or start == b"PK\x03\x04":
        return (
            f"'{path}' is a pickled PyTorch checkpoint, which is never loaded here. "
            "Convert one of the original StefaLand with "
            "`xstefaland.weights.convert_original(path, forcing=..., "
            "attributes=..., out=...)`."
        )
    return (
        f"'{path}' is not a safetensors file ({error}). It may be truncated: compare "
        "its sha256 with `xstefaland.weights.list()`, or fetch it again."
    )


def _stored(tensor: Tensor, dtype: str) -> Tensor:
    """Copy a tensor to the CPU in the type it is stored in."""
    import torch

    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.clone(memory_format=torch.contiguous_format)
    single = tensor.to(torch.float32).clone(memory_format=torch.contiguous_format)
    if dtype == "float32" or single.ndim < 2:
        return single
    half = single.to(torch.float16)
    return half if bool(half.isfinite().all()) else single


def _package_version() -> str:
    """Version that goes into a card."""
    try:
        return version("xstefaland")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "unknown"
