"""One way to run a recurrent layer over a whole record."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def run_lstm(lstm: nn.LSTM, inputs: Tensor, spinup: int) -> Tensor:
    """Run an LSTM over ``(B, T, n)``, starting from the state after `spinup` days."""
    state = None
    if spinup > 0:
        with torch.no_grad():
            state = lstm(inputs[:, :spinup])[1]
    out: Tensor = lstm(inputs, state)[0]
    return out
