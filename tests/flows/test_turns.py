"""Taking turns at a corpus: a run that was started by hand is told at once that another one holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.turns import in_turn
from waon_build.corpus import Corpus, CorpusHeldError


def test_a_run_by_hand_does_not_wait_for_another(tmp_path: Path) -> None:
    """That a scheduled one does is in `test_schedule.py`."""
    corpus = Corpus(str(tmp_path))

    def run() -> str:
        with corpus.alone():
            return "done"

    with corpus.alone(), pytest.raises(CorpusHeldError, match="another run is under way: wait for its end"):
        in_turn(run)
    assert in_turn(run) == "done"
