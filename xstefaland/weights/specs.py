"""The lines of a card besides its inputs: a target, a reference to an encoder."""

from __future__ import annotations

from dataclasses import dataclass

from xstefaland.inputs.requirements import range_problems


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
        return range_problems(self.name, self.minimum, self.maximum)


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
