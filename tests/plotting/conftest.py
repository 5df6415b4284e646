"""Figures are drawn without a screen, and closed."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from xstefaland import set_options


@pytest.fixture(autouse=True)
def _no_screen_no_network() -> Iterator[None]:
    """Agg draws into memory; coastlines are not fetched."""
    with mpl.rc_context({"backend": "agg"}), set_options(offline=True):
        yield
    plt.close("all")
