"""What tests share: where the real material lies, and the rule that they run without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(os.environ.get("WAON_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sites, WARC files, images and text. Skips where there is none."""
    if not (SHARED_DATA / "MANIFEST.md").exists():
        pytest.skip(f"real material is not at {SHARED_DATA}: generated input covers the same ground")
    return SHARED_DATA
