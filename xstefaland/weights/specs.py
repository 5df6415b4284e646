"""The lines of a card: one input, one target, one reference to an encoder."""

from __future__ import annotations

import math
from dataclasses import dataclass

TRANSFORMS = ("linear", "log1p")


@dataclass(frozen=True, kw_only=True)
class VariableSpec:
    """One input of a model, as it was seen in training.

    Parameters
    ----------
    name : str
        Exact name; it wins over the catalogue's aliases.
    units : str or None
        Units of the physical values. ``None``: values are taken as they are, with no
        conversion, range check or derivation.
    mean, std : float
        Statistics of the **transformed** training values.
    transform : {"linear", "log1p"}
        Applied before scaling.
    minimum, maximum : float or None
        Range seen in training, in `units`.
    group : str or None
        Masking group (climate, soil, ...) of an attribute.
    """

    name: str
    units: str | None = None
    mean: float = 0.0
    std: float = 1.0
    transform: str = "linear"
    minimum: float | None = None
    maximum: float | None = None
    group: str | None = None

    def problems(self) -> list[str]:
        """Tell what makes the entry unusable."""
        out = []
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            out.append(
                f"variable '{self.name}' has mean={self.mean}, std={self.std}; both "
                "must be finite and std positive"
            )
        if self.transform not in TRANSFORMS:
            out.append(
                f"variable '{self.name}' has transform '{self.transform}'; there are "
                f"{', '.join(TRANSFORMS)}"
            )
        return out + _range_problems(self)


@dataclass(frozen=True, kw_only=True)
class TargetSpec:
    """One output of a head.

    Parameters
    ----------
    name : str
        The quantity's name, such as ``"streamflow"``.
    units : str
        CF units of the answer.
    standard_name, long_name : str or None
        CF attributes of the answer.
    minimum, maximum : float or None
        Physical limits; answers are clipped to them.
    """

    name: str
    units: str
    standard_name: str | None = None
    long_name: str | None = None
    minimum: float | None = None
    maximum: float | None = None

    def problems(self) -> list[str]:
        """Tell what makes the entry unusable."""
        return _range_problems(self)


@dataclass(frozen=True, kw_only=True)
class EncoderReference:
    """The encoder a head was trained on: a head refuses every other one.

    Parameters
    ----------
    name : str
        Name of the encoder.
    sha256 : str
        Hash of its weights file.
    """

    name: str
    sha256: str

    def problems(self) -> list[str]:
        """Tell what makes the entry unusable."""
        if is_sha256(self.sha256):
            return []
        return [
            f"encoder '{self.name}' has sha256 '{self.sha256}'; it must be 64 "
            "lower-case hexadecimal digits"
        ]


def is_sha256(text: str) -> bool:
    """Tell whether `text` is a full SHA-256 in lower-case hexadecimal digits.

    Examples
    --------
    >>> is_sha256("ab" * 32), is_sha256("ab")
    (True, False)
    """
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _range_problems(entry: VariableSpec | TargetSpec) -> list[str]:
    low, high = entry.minimum, entry.maximum
    if low is None or high is None or low <= high:
        return []
    return [f"'{entry.name}' has minimum {low} above maximum {high}"]
