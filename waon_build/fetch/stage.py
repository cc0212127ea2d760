"""The stages of this room: `plan` (see `plan.py`) and `fetch`, which brings the images of one batch.

A URL is asked for once in a corpus's life: what it gave is carried over whenever its part is made
again, except that what failed for a passing cause is asked for again when it is due, and images are
fetched anew when the form they are stored in changes. A refusal is final.
"""

from __future__ import annotations

from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import IO

import pyarrow.compute as pc

from waon_build.batches import Batch, candidates_of, list_batches
from waon_build.corpus import Corpus, Part, fingerprint
from waon_build.due import is_due
from waon_build.fetch.client import TAKEN_DOWN, Client
from waon_build.fetch.decode import VERSION
from waon_build.fetch.gather import ClientFactory, Gathering, Progress
from waon_build.fetch.origin import Origins
from waon_build.fetch.plan import Plan
from waon_build.fetch.politeness import Politeness, host_of
from waon_build.fetch.spool import ImageTar, Place, Spool
from waon_build.part_writer import PartWriter
from waon_build.recipe import Recipe
from waon_build.records import IMAGE, Image, Tally
from waon_build.rights.tombstones import Tombstones

__all__ = ["Fetch", "Plan"]

_READERS = 8
"""Parts with failures looked into at once: an object store answers slowly, and many questions at a time."""
_SAMPLED = IMAGE.remove(IMAGE.get_field_index("reason"))
"""The columns of a sampled drop; its reason is the writer's."""


class Fetch:
    """The stage `fetch`. One part is a batch: a row for each of its URLs, and a tar of the images.

    pool: decodes; without one, threads do. client_factory: makes the client of one part; by default all
    parts of a `Fetch` share their politeness. progress: hears of every part's URLs.

    A part's fingerprint is FORM-URLS-ROUND: how images are stored, which URLs it has, and how often it
    went back for those that failed. Nothing else (a contact, a rate, a caption) makes a part anew."""

    name = "fetch"
    kind = "network"
    version = 1

    def __init__(
        self,
        recipe: Recipe,
        pool: Executor | None = None,
        client_factory: ClientFactory | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.settings = recipe.fetch
        self.pool = pool
        self.progress = progress
        self._client = client_factory or partial(Client, recipe.fetch, Politeness.of(recipe.fetch), Origins())

    def inputs(self, corpus: Corpus) -> list[Part]:
        """One part for each batch that has URLs of its own."""
        stored = [VERSION, self.settings.shortest_side, self.settings.format, self.settings.quality]
        form = fingerprint(self.name, self.version, stored, [])
        made = {tally.part: tally for tally in corpus.tallies(self.name)}
        batches = [batch for batch in list_batches(corpus) if batch.urls]
        with ThreadPoolExecutor(_READERS) as readers:
            return list(readers.map(lambda batch: self._part(corpus, batch, form, made.get(batch.name)), batches))

    def hosts(self, corpus: Corpus, part: Part) -> set[str]:
        """The hosts of its own URLs. A host of many URLs has several batches, and one that is planned again
        can have some in an old batch and some in a new one."""
        table = candidates_of(corpus, part.name, ["url", "image_part"])
        urls = table.filter(pc.equal(table["image_part"], part.name))["url"].unique().to_pylist()
        return {host_of(url) for url in urls}

    def run(self, corpus: Corpus, part: Part, progress: Progress | None = None) -> Tally:
        """Fetch one batch. Rows and tar are in the order of URLs, whatever the order of the answers."""
        with ExitStack() as stack:
            writer = stack.enter_context(corpus.write(self.name, part, IMAGE, dropped=_SAMPLED))
            spool = stack.enter_context(closing(Spool(writer.folder)))
            before = stack.enter_context(closing(_Before(corpus, part)))
            stones = Tombstones.load(corpus)
            planned, withdrawn = _urls(corpus, part.name, stones)
            images: dict[str, Image] = {}
            wanted: list[Image] = []
            for url in sorted(planned | before.images.keys()):
                image = before.images.get(url)
                if url in withdrawn or stones.covers(url=url) or (image and _is_withdrawn(image, stones)):
                    known = image or Image(url, "refused")  # the evidence stays, the picture goes
                    images[url] = replace(
                        known, status="refused", reason=str(TAKEN_DOWN), retryable=False, stored_in=""
                    )
                elif image and self._stays(image, before.fits):
                    images[url] = image
                elif url in planned:
                    wanted.append(image if image and image.status != "ok" else Image(url, "failed"))
            gathering = Gathering(self.settings, self.pool, spool, stones, progress or self.progress or _silent)
            for image in gathering.run(self._client, wanted):
                images[image.url] = image
            _write(writer, images, planned, spool, before)
            return writer.commit()

    def _part(self, corpus: Corpus, batch: Batch, form: str, tally: Tally | None) -> Part:
        again = int(tally.fingerprint.rpartition("-")[2]) + self._has_due(corpus, tally) if tally else 0
        return Part(batch.name, batch.generation, f"{form}-{batch.url_digest}-{again}")

    def _has_due(self, corpus: Corpus, tally: Tally) -> bool:
        """Whether a part has failures to ask for again. Reads rows only where there are failures."""
        if "retryable" not in tally.units:
            return False
        columns = ["attempts", "fetched_at"]
        rows = corpus.read(self.name, tally.part, columns, filters=pc.field("retryable")).to_pylist()
        return any(self._is_due(row["attempts"], row["fetched_at"]) for row in rows)

    def _is_due(self, attempts: int, fetched_at: str) -> bool:
        return attempts < self.settings.max_attempts and is_due(
            fetched_at, timedelta(hours=self.settings.retry_after_hours)
        )

    def _stays(self, image: Image, fits: bool) -> bool:
        """Whether what is known of a URL is all there is to know."""
        if image.status == "ok":
            return fits
        return not (image.retryable and self._is_due(image.attempts, image.fetched_at))


class _Before:
    """What the part of this name held before. fits: its images are stored as they are wanted now."""

    def __init__(self, corpus: Corpus, part: Part) -> None:
        tally = corpus.tally("fetch", part.name)
        self.images: dict[str, Image] = {}
        self.fits = False
        self._file: IO[bytes] | None = None
        if tally:
            rows = corpus.read("fetch", part.name).to_pylist()
            self.images = {row["url"]: Image(**row) for row in rows}
            path = corpus.path("fetch", tally.files["images"])
            self.fits = _form(tally.fingerprint) == _form(part.fingerprint) and corpus.fs.exists(path)
            self._file = corpus.fs.open(path, "rb") if self.fits else None

    def bytes(self, image: Image) -> bytes:
        assert self._file is not None
        self._file.seek(image.offset)
        return self._file.read(image.size)

    def close(self) -> None:
        if self._file:
            self._file.close()


def _form(part_fingerprint: str) -> str:
    return part_fingerprint.partition("-")[0]


def _urls(corpus: Corpus, batch: str, stones: Tombstones) -> tuple[set[str], set[str]]:
    """The distinct URLs that are fetched in a batch, and those of them all of whose pages are withdrawn."""
    table = candidates_of(corpus, batch, ["url", "image_part", "page_url"])
    table = table.filter(pc.equal(table["image_part"], batch))
    urls = set(table["url"].to_pylist())
    if not stones.stones:
        return urls, set()
    pages = zip(table["url"].to_pylist(), table["page_url"].to_pylist(), strict=True)
    return urls, urls - {url for url, page in pages if not stones.covers(page_url=page)}


def _is_withdrawn(image: Image, stones: Tombstones) -> bool:
    return stones.covers(url=image.final_url, sha256=image.sha256, phash=image.phash)


def _write(writer: PartWriter, images: dict[str, Image], planned: set[str], spool: Spool, before: _Before) -> None:
    """Write rows and tar in the order of URLs. What was planned once, and is no more, stays known without
    being counted: should it come back, it is not asked for again."""
    with writer.open_file("images", "tar") as file, closing(ImageTar(file)) as tar:
        for url in sorted(images):
            image = images[url]
            if image.status == "ok":
                place = tar.place(image.sha256)
                if place is None:
                    data = before.bytes(image) if image.stored_in else spool.get(Place(image.offset, image.size))
                    place = tar.add(image.sha256, image.format, data)
                image.stored_in = writer.tally.part
                image.offset, image.size = place
            writer.append(image)
            if url not in planned:
                continue
            if image.status == "ok":
                writer.rows.keep()
            else:
                writer.drop(image, image.reason)
            if image.retryable:
                writer.count("retryable").keep()


def _silent(done: int, total: int) -> None:
    pass
