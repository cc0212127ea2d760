"""What became of the links of kept pairs: how many are still there, by what the refresh found last."""

from __future__ import annotations

from waon_build.corpus import Corpus
from waon_build.records import Counts


def links(corpus: Corpus) -> dict[str, Counts]:
    """Counts of images and of pages that were asked again: kept are those that are there and allow it, the others
    have the reason found last. Those that no refresh has asked yet are not counted; {} when none was."""
    found: dict[str, Counts] = {}
    for tally in corpus.tallies("recheck"):
        for unit, counts in (("images", tally.rows), ("pages", tally.units.get("page", Counts()))):
            found.setdefault(unit, Counts()).add(counts)
    return found
