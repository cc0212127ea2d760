"""The sample site, built once for all tests of it."""

from __future__ import annotations

import pytest

from waon_build.demo.site import Site


@pytest.fixture(scope="session")
def site() -> Site:
    """The site as it would be at two addresses where nobody serves it."""
    return Site("http://127.0.0.1:1", "http://127.0.0.1:2")
