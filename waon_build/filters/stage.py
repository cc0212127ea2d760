"""The stages `text` and `image`: rows in, rows on or a reason. The rules are in text.py and image.py."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from waon_build import languages
from waon_build.batches import candidates_of, images_of, list_batches
from waon_build.corpus import Corpus, Part, fingerprint
from waon_build.filters.image import IMAGE_FAILED, image_rules, why_dropped
from waon_build.filters.text import PERSONAL, PersonalData, TextFilter
from waon_build.part_writer import ROW_GROUP
from waon_build.recipe import Recipe
from waon_build.records import CANDIDATE, IMAGE_IN_PAIR, PAIR, Image, Reason, Tally, pair_id

PLANNED_LATER = frozenset({"max_repeats", "max_repeats_per_host"})
"""Text settings that the plan stage applies: they change nothing here."""


_AROUND = ("context", "page_title")
"""What stands around a caption, and is released with it."""


class FilterText:
    """Candidates whose caption passes. One part an extract part, of the same name."""

    name = "text"
    kind = "cpu"
    version = 2

    def __init__(self, recipe: Recipe) -> None:
        self._language = recipe.language
        self._settings = recipe.filters.text
        self._pack_digest = languages.get(recipe.language).digest

    def inputs(self, corpus: Corpus) -> list[Part]:
        """A part for each committed extract part. Reads tallies, no rows."""
        return [
            Part(tally.part, tally.part, fingerprint(self.name, self.version, self._shaping(), [tally.digest]))
            for tally in corpus.tallies("extract")
        ]

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Filter one extract part. Raises InputError when it is gone or unreadable."""
        why = TextFilter(self._settings, languages.get(self._language))
        with corpus.write(self.name, part, CANDIDATE) as writer:
            for batch in corpus.batches("extract", part.source, CANDIDATE.names):
                told = zip(batch["caption"].to_pylist(), batch["page_language"].to_pylist(), strict=True)
                reasons = [why(caption or "", page_language or "") for caption, page_language in told]
                passes = pa.array([reason is None for reason in reasons])
                dropped = batch.filter(pc.invert(passes)).to_pylist()
                for row, reason in zip(dropped, filter(None, reasons), strict=True):
                    writer.drop(_for_sample(row, reason), reason)
                # Rows that pass stay in Arrow: they are most of the bytes, and nothing in them changes.
                if kept := batch.num_rows - len(dropped):
                    writer.append_table(self._without_personal_data(pa.Table.from_batches([batch.filter(passes)])))
                for _ in range(kept):
                    writer.rows.keep()
            return writer.commit()

    def _without_personal_data(self, kept: pa.Table) -> pa.Table:
        """The rows with what stands around their captions blanked where it reaches a person: it would be
        released with the picture."""
        if not self._settings.personal_data:
            return kept
        reaches = PersonalData(languages.get(self._language))
        for name in _AROUND:
            texts = kept[name].to_pylist()
            found: dict[str, bool] = {}  # a page's title is that of all its pictures
            for text in texts:
                if text and text not in found:
                    found[text] = reaches(text) is not None
            if any(found.values()):
                blanked = ["" if found.get(text) else text for text in texts]
                kept = kept.set_column(kept.column_names.index(name), name, pa.array(blanked, pa.string()))
        return kept

    def _shaping(self) -> dict[str, Any]:
        return {
            **self._settings.model_dump(exclude=set(PLANNED_LATER)),
            "language": self._language,
            "pack": self._pack_digest,
        }


class FilterImage:
    """Pairs: candidates joined to their images, when both pass. One part a batch, of the same name."""

    name = "image"
    kind = "cpu"
    version = 1

    def __init__(self, recipe: Recipe) -> None:
        self._settings = recipe.filters.image

    def inputs(self, corpus: Corpus) -> list[Part]:
        """A part for each batch whose images are all fetched. Reads tallies and the plan, no rows."""
        fetched = {tally.part: tally.digest for tally in corpus.tallies("fetch")}
        settings = self._settings.model_dump()
        return [
            Part(
                batch.name,
                batch.name,
                fingerprint(
                    self.name, self.version, settings, [batch.digest, *(fetched[name] for name in batch.image_parts)]
                ),
                batch.image_parts,
            )
            for batch in list_batches(corpus)
            if fetched.keys() >= set(batch.image_parts)
        ]

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Filter one batch. Raises InputError when its plan or its images are gone."""
        rules = image_rules(self._settings)
        images = {row["url"]: Image(**row) for row in images_of(corpus, part.source).to_pylist()}
        reasons = {url: why_dropped(image, rules) for url, image in images.items()}
        with corpus.write(self.name, part, PAIR) as writer:
            candidates = candidates_of(corpus, part.source, CANDIDATE.names)
            for row in chain.from_iterable(batch.to_pylist() for batch in candidates.to_batches(ROW_GROUP)):
                image = images.get(row["url"]) or Image(row["url"], "failed")
                pair, reason = _pair(row, image), reasons.get(image.url, IMAGE_FAILED)
                if reason is None:
                    writer.keep(pair)
                else:
                    # With its image, where there is one: people judge what was dropped by looking.
                    writer.drop(pair, reason)
            return writer.commit()


def _pair(candidate: dict[str, Any], image: Image) -> dict[str, Any]:
    """The pair of a candidate (its row) and its image, with the evidence of both."""
    return {
        "pair_id": pair_id(image.sha256, candidate["caption"]) if image.sha256 else "",
        **candidate,
        **{name: getattr(image, name) for name in IMAGE_IN_PAIR},
        "rights": [*(candidate["rights"] or ()), *(image.rights or ())],
    }


def _for_sample(row: dict[str, Any], reason: Reason) -> dict[str, Any]:
    """The dropped row as people may see it. What was dropped because it reaches a person must not reach
    the people who judge the filters: its digits and the name before an @ are blotted out."""
    if reason not in PERSONAL:
        return row
    caption = re.sub(r"[\w.+-]+@", "***@", re.sub(r"\d", "0", row["caption"]))
    return {**row, "caption": caption, "context": ""}
