"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real observations; a test that asks for it is skipped without one."""
    default = ROOT.parent / "shared" / "data"
    folder = Path(os.environ.get("XSTEFALAND_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set XSTEFALAND_TEST_DATA to its folder")
    return folder
