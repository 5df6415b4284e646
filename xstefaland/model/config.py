"""What a foundation model or a head is built from: two frozen dataclasses."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from xstefaland.errors import InputError, pip_install
from xstefaland.model.process import AVAILABLE, WEATHER

Adapter = Literal[
    "residual", "feedforward", "bottleneck", "gated", "moe", "conv", "attention", "none"
]
HeadKind = Literal[
    "resconn",
    "no_resconn",
    "lstm",
    "linear",
    "resconn_additive",
    "dlinear",
    "informer",
    "reformer",
    "transformer",
    "direct",
]

WITHOUT_EMBEDDING = (
    "lstm",
    "dlinear",
    "informer",
    "reformer",
    "transformer",
    "direct",
)
"""Kinds of heads that look at no embedding."""

TWO_WAY_ADAPTERS = ("conv", "attention")
"""Adapters in which a day looks at the days after it."""


WHOLE_WINDOWS = ("informer", "transformer", "direct")
"""Kinds of heads in which a day looks at later ones of its window."""

CONVOLVED = ("resconn_additive", "dlinear")
"""Kinds of heads that convolve the days' inputs, so that there have to be some."""


class _Config:
    """Shared reading and writing as plain dictionaries."""

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as a JSON-ready dictionary."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build the configuration from a dictionary; unknown keys are refused."""
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(
                f"{cls.__name__} got unknown entries {unknown}; it knows "
                f"{sorted(known)}. The file may come from a newer xstefaland: "
                f"`{pip_install(options='--upgrade')}`."
            )
        return cls(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        )


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(_Config):
    """Shape and form of a StefaLand foundation model.

    Parameters
    ----------
    forcing, attributes : tuple of str
        Names of the daily forcings and the static attributes, in order.
    d_model, layers, heads, ffn : int
        Width, number of transformer layers, attention heads, feed-forward width.
    dropout : float
        Dropout in training (on attention, feed-forward, embeddings).
    window, stride : int
        Days the encoder sees at once, and the step between windows at inference.
    decoder : {"lstm", "bilstm", "transformer"}
        Decoder of the masked autoencoder; "lstm" is the released form.
    decoder_layers : int
        Transformer decoder layers (an LSTM decoder always has one).
    norm : {"pre", "post"}
        Where layer norms sit; "post" is the released form, in which the input of the
        first layer has no norm: its attention saturates, and long runs diverge.
    activation : {"gelu", "relu"}
        Feed-forward activation; "relu" is the released form, and a fifth faster.
    scale_input : bool
        Multiply the encoder's input by sqrt(d_model), as released.
    static_mask : {"vector", "value"}
        A missing attribute becomes a learned vector (ours) or a learned scalar that
        passes the embedding (released).
    static_position : {"own", "last"}
        The static token has a position of its own, or that after the last day.
    calendar : bool
        Day of year and latitude enter as inputs of their own.
    max_positions : int
        Rows of the position table; a window cannot be longer.
    """

    forcing: tuple[str, ...]
    attributes: tuple[str, ...]
    d_model: int = 256
    layers: int = 4
    heads: int = 4
    ffn: int = 512
    dropout: float = 0.1
    window: int = 365
    stride: int = 183
    decoder: Literal["lstm", "bilstm", "transformer"] = "lstm"
    decoder_layers: int = 1
    norm: Literal["pre", "post"] = "pre"
    activation: Literal["gelu", "relu"] = "relu"
    scale_input: bool = True
    static_mask: Literal["vector", "value"] = "vector"
    static_position: Literal["own", "last"] = "own"
    calendar: bool = True
    max_positions: int = 1000

    def __post_init__(self) -> None:
        """Refuse a configuration that no model can have, with every reason."""
        problems = []
        if not self.forcing:
            problems.append("`forcing` is empty; name at least one daily forcing")
        if self.d_model % self.heads:
            problems.append(f"d_model={self.d_model} is no multiple of {self.heads=}")
        if not 0 < self.stride <= self.window <= self.max_positions:
            problems.append(
                f"0 < stride <= window <= max_positions must hold, got "
                f"{self.stride=}, {self.window=}, {self.max_positions=}"
            )
        for name in ("forcing", "attributes"):
            names = getattr(self, name)
            if len(set(names)) < len(names):
                problems.append(f"`{name}` names a variable twice: {names}")
        if problems:
            raise InputError("EncoderConfig: " + "; ".join(problems) + ".")


@dataclass(frozen=True, kw_only=True)
class HeadConfig(_Config):
    """Shape and form of a head on the (frozen) embedding.

    Parameters
    ----------
    kind : str
        "resconn": adapter, LSTM and residual connections to the inputs (the
        paper's main head); "no_resconn": adapter and LSTM; "lstm": no embedding at all
        (baseline); "linear": one linear map; "resconn_additive", "dlinear",
        "informer", "reformer": see :mod:`xstefaland.model.sequence_baselines`;
        "transformer", "direct": :mod:`xstefaland.model.scratch`.
    targets : tuple of str
        What it predicts, in order.
    forcing, attributes : tuple of str
        Inputs besides the embedding, in order.
    embedding : int
        Width of the embedding; of :data:`WITHOUT_EMBEDDING` used by "transformer" and
        "direct" alone, which are as wide.
    width : int
        Width of the recurrent layer.
    adapter : str
        See :mod:`xstefaland.model.adapters`.
    dropout : float
        Before the output layer; adapters use a quarter of it.
    flags : bool
        Tell the head which inputs were present (1) or absent (0, value 0).
    also_log : tuple of str
        Forcings that enter a second time as ``log1p``.
    channels : tuple of str
        Process channels that enter beside the forcing, see
        :data:`xstefaland.model.process.AVAILABLE`. The head computes them itself from
        precipitation, temperature and potential evapotranspiration of the record.
    place : bool
        Season (day of year, half a year later in the south) and distance from the
        equator enter too.
    physics : {None, "hbv"}
        "hbv": the network gives the parameters of HBV 1.1, which gives the targets.
    components : int
        Parallel HBV components per site.
    form : {"direct", "anomaly"}
        "anomaly": a level and a spread for each site, from its attributes, and
        standardised anomalies from the weather alone, see
        :class:`~xstefaland.model.heads.AnomalyHead`.
    quantiles : tuple of float
        Levels that are predicted of each target, rising within 0..1; none for a single
        value.
    static : bool
        One answer per site, without time.
    link : {"identity", "logit"}
        "logit": targets are probabilities, always between 0 and 1.
    """

    targets: tuple[str, ...]
    forcing: tuple[str, ...]
    attributes: tuple[str, ...]
    kind: HeadKind = "resconn"
    embedding: int = 256
    width: int = 128
    adapter: Adapter = "residual"
    dropout: float = 0.4
    flags: bool = True
    also_log: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    place: bool = False
    physics: Literal["hbv"] | None = None
    components: int = 16
    form: Literal["direct", "anomaly"] = "direct"
    quantiles: tuple[float, ...] = ()
    static: bool = False
    link: Literal["identity", "logit"] = "identity"

    @property
    def embeds(self) -> bool:
        """Whether the head reads the embedding at all."""
        return self.kind not in WITHOUT_EMBEDDING

    @property
    def causal_possible(self) -> bool:
        """Whether a day's answer can do without the days after it.

        HBV's constant parameters come from the whole record, two adapters mix
        neighbouring days both ways, an informer ranks the days of a window, and the
        foundation model's form sees whole windows.
        """
        adapted = self.kind in ("resconn", "no_resconn")
        mixed = adapted and self.adapter in TWO_WAY_ADAPTERS
        whole = self.kind in WHOLE_WINDOWS
        return self.physics is None and not mixed and not whole

    def __post_init__(self) -> None:
        """Refuse a configuration that no head can have, with every reason."""
        problems = []
        if not self.targets:
            problems.append("`targets` is empty")
        extra = sorted(set(self.also_log) - set(self.forcing))
        if extra:
            problems.append(f"`also_log` names {extra}, which are not in `forcing`")
        problems += self._channel_problems() + self._form_problems()
        if list(self.quantiles) != sorted({q for q in self.quantiles if 0 < q < 1}):
            problems.append(
                f"`quantiles` must rise and lie between 0 and 1, got {self.quantiles}"
            )
        if self.link not in ("identity", "logit"):
            problems.append(f"link={self.link!r} is neither 'identity' nor 'logit'")
        if problems:
            raise InputError("HeadConfig: " + "; ".join(problems) + ".")

    def _channel_problems(self) -> list[str]:
        """Tell why the process channels cannot be computed."""
        problems = []
        unknown = [name for name in self.channels if name not in AVAILABLE]
        if unknown:
            problems.append(
                f"`channels` names {unknown}, which are not in "
                "xstefaland.model.process.AVAILABLE"
            )
        if len(set(self.channels)) < len(self.channels):
            problems.append(f"`channels` names a channel twice: {self.channels}")
        lacking = [name for name in WEATHER if name not in self.forcing]
        if self.channels and lacking:
            problems.append(f"`channels` need the forcing {lacking}")
        return problems

    def _form_problems(self) -> list[str]:
        """Tell which entries contradict each other."""
        problems = []
        special = bool(self.static or self.link != "identity")
        if self.kind in CONVOLVED and not (self.forcing or self.place):
            problems.append(
                f"kind={self.kind!r} convolves the weather: name a `forcing`, or use "
                "kind='resconn', which does without"
            )
        if self.physics == "hbv":
            lacking = sorted(set(WEATHER) - set(self.forcing))
            if lacking:
                problems.append(f"HBV needs the forcing {lacking}")
            if self.quantiles or special:
                problems.append(
                    "HBV gives one daily value per target: leave out `quantiles`, "
                    "`static` and `link`"
                )
        if self.form == "anomaly" and (self.physics or special):
            problems.append(
                "form='anomaly' is for daily values: leave out `physics`, `static` "
                "and `link`"
            )
        if self.form not in ("direct", "anomaly"):
            problems.append(f"form={self.form!r} is neither 'direct' nor 'anomaly'")
        return problems
