"""Documents that cannot lie: what is written from the code is what the code says now."""

from __future__ import annotations

from pathlib import Path

import pytest

from waon_build.reference import PAGES

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_reference_says_what_the_code_says(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page](), "run `make docs`"


def test_every_reason_says_what_and_why_and_where_the_rule_is_from() -> None:
    from waon_build.records import Reason

    PAGES["reasons.md"]()
    assert len(Reason.all) > 30
    for name, reason in Reason.all.items():
        assert reason.what, name
        assert reason.why, name
        assert reason.source, name
