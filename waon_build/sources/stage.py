"""The extract stage: WARC files, ranges of them, WAT files, crawled sites and tables -> candidates.

One part a file, a crawl, or a chunk of a table's rows or of what the select stage found. The part's tally counts
the image references of accepted pages; its units count the records of the file and the pages among them.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from typing import IO, Any

from waon_build import languages
from waon_build.corpus import Corpus, Part, fingerprint, part_name
from waon_build.part_writer import PartWriter
from waon_build.recipe import Recipe
from waon_build.records import CANDIDATE, InputError, Reason, Tally, digest16
from waon_build.source_settings import TableSource, WarcSource
from waon_build.sources import common_crawl, table, warc, wat
from waon_build.sources.archive import RECORD_UNREADABLE
from waon_build.sources.common_crawl import CommonCrawl
from waon_build.sources.files import File, Files
from waon_build.sources.html import read_page
from waon_build.sources.ranges import GoneError, Range, buffered, read_all
from waon_build.sources.references import NO_ADDRESS, NO_CAPTION, NOT_HTTP, TOO_MANY_ON_PAGE, Page
from waon_build.sources.select import LOCATION, Select, selecting
from waon_build.sources.site import crawls
from waon_build.sources.visits import brought_pages, site_of

RANGE_GONE = Reason(
    "range_gone",
    stage="extract",
    what="A page that was selected and is not where it should be: HTTP 403 or 404, or its WARC file ends before it.",
    why="It was taken down, or the mirror lacks it; a part of which nothing can be had fails.",
)


class Extract:
    """Candidates out of every source. See `waon_build.corpus.Stage`."""

    name = "extract"
    kind = "cpu"
    version = 1

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.settings = {"language": recipe.language, **recipe.extract.model_dump()}
        languages.get(recipe.language)

    def inputs(self, corpus: Corpus) -> list[Part]:
        """A part for each WARC or WAT file, each crawl, each chunk of a table and of selected pages. Raises
        InputError for a file that is not there."""
        parts = [*self._crawled(corpus), *self._selected(corpus)]
        for source in common_crawl.sources(self.recipe):
            if source.settings.read == "wat":
                for path in source.paths(corpus):
                    made_from = fingerprint(self.name, self.version, self.settings, [path])
                    parts.append(Part(source.part_name(path), f"wat:{source.index}:{path}", made_from))
        for index, found in enumerate(self.recipe.sources):
            if isinstance(found, WarcSource):
                for file in Files(self.recipe, index).expanded(found.paths, found.prefix)[: found.first]:
                    made_from = fingerprint(self.name, self.version, self.settings, [file.path, file.state])
                    parts.append(Part(part_name(file.path), f"warc:{index}:{file.path}", made_from))
            elif isinstance(found, TableSource):
                parts += self._tables(index, found)
        return sorted({part.name: part for part in parts}.values())

    def _crawled(self, corpus: Corpus) -> Iterator[Part]:
        wanted = crawls(self.recipe)
        for tally in corpus.tallies("crawl") if wanted else ():
            if site_of(tally.part) in wanted and brought_pages(tally):
                made_from = fingerprint(self.name, self.version, self.settings, [tally.digest])
                yield Part(tally.part, f"crawl:{tally.part}", made_from)

    def _selected(self, corpus: Corpus) -> Iterator[Part]:
        """The select stage takes back what the recipe no longer asks for: what there is, is wanted."""
        by_key = {source.key: source for source in selecting(self.recipe)}
        for tally in corpus.tallies(Select.name) if by_key else ():
            source = by_key.get(tally.part.rpartition("-")[2])
            if source is None:
                continue
            size = source.settings.records_per_part
            for start in range(0, tally.rows.kept, size):
                inputs = [tally.digest, str(start), str(size)]
                made_from = fingerprint(self.name, self.version, self.settings, inputs)
                name = f"{tally.part}-{start // size:06d}"
                yield Part(name, f"selected:{source.index}:{start}:{tally.part}", made_from)

    def _tables(self, index: int, source: TableSource) -> Iterator[Part]:
        files = Files(self.recipe, index)
        columns = source.model_dump(exclude={"paths", "storage_options"})
        read_as = digest16(json.dumps(columns, sort_keys=True))[:6]
        for file in files.expanded(source.paths):
            for start in range(0, max(1, _rows(files, file)), source.rows_per_part):
                made_from = fingerprint(
                    self.name, self.version, columns, [self.recipe.language, file.path, file.state, str(start)]
                )
                # The same file may be read twice, for one column of captions and for another.
                name = f"{part_name(file.path)}-{read_as}-{start // source.rows_per_part:06d}"
                yield Part(name, f"table:{index}:{start}:{file.path}", made_from)

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Read one part's source. Raises InputError when nothing of it can be read, OSError when it may be had
        later."""
        kind, _, rest = part.source.partition(":")
        with corpus.write(self.name, part, CANDIDATE) as writer:
            if kind == "crawl":
                pages = corpus.file("crawl", rest, "pages")
                if pages is None:
                    raise InputError(f"{corpus.path('crawl', rest)}: its pages are gone: run the crawl stage again")
                with corpus.fs.open(pages, "rb") as stream:
                    self._warc(writer, stream, f"crawl/{rest}", ours=True)
                return writer.commit()
            index, _, rest = rest.partition(":")
            if kind == "table":
                start, _, path = rest.partition(":")
                self._table(writer, int(index), int(start), path)
            elif kind == "selected":
                start, _, selected = rest.partition(":")
                self._ranges(writer, CommonCrawl(self.recipe, int(index)), corpus, selected, int(start))
            elif kind == "wat":
                with _there(CommonCrawl(self.recipe, int(index)), rest) as stream:
                    self._wat(writer, stream, rest)
            else:
                with Files(self.recipe, int(index)).open(rest) as stream:
                    if wat.is_wat(rest):
                        self._wat(writer, stream, rest)
                    else:
                        self._warc(writer, stream, rest, ours=False)
            return writer.commit()

    def _warc(self, writer: PartWriter, stream: IO[bytes], name: str, ours: bool) -> None:
        records = writer.count("record")
        most = self.recipe.extract.max_page_bytes
        for response in warc.html_pages(stream, name, most, records.drop, writer.problem):
            records.keep()
            # Where a record lies in a crawl of ours, and when it was made, depends on the crawl; a release must not.
            if ours:
                self._response(writer, response._replace(captured_at=""), name)
            else:
                self._response(writer, response, f"{os.path.basename(name)}@{response.offset}")

    def _ranges(self, writer: PartWriter, source: CommonCrawl, corpus: Corpus, selected: str, start: int) -> None:
        records, most = writer.count("record"), self.recipe.extract.max_page_bytes
        wanted = _locations(corpus, selected, start, source.settings.records_per_part)
        ranges = [Range(row["warc_filename"], row["warc_record_offset"], row["warc_record_length"]) for row in wanted]
        gone = ""
        for one, data in read_all(source.store, ranges, source.settings.requests):
            if isinstance(data, GoneError):
                records.drop(RANGE_GONE)
                gone = f"{one.path}@{one.offset}: range_gone: {data}"
                writer.problem(gone)
                continue
            before = records.read
            try:
                pages = warc.html_pages(io.BytesIO(data), one.path, most, records.drop, writer.problem, one.offset)
                for response in pages:
                    records.keep()
                    self._response(writer, response, f"{os.path.basename(one.path)}@{response.offset}")
            except InputError:
                if records.read == before:
                    records.drop(RECORD_UNREADABLE)
                    writer.problem(f"{one.path}@{one.offset}: unreadable_range: it holds no record")
        if ranges and records.dropped[str(RANGE_GONE)] == len(ranges):
            raise InputError(
                f"{source.settings.location}: none of {len(ranges)} pages can be had ({gone}): see whether it is the "
                f"right place, and lets you in (sources.{source.index}.storage_options); then run again"
            )

    def _response(self, writer: PartWriter, response: warc.Response, source: str) -> None:
        page = read_page(
            response.url, response.headers, response.body, self.recipe.language, self.recipe.extract, source
        )
        _take(writer, page, response.captured_at)

    def _wat(self, writer: PartWriter, stream: IO[bytes], name: str) -> None:
        records, settings = writer.count("record"), self.recipe.extract
        for read in wat.read_pages(stream, name, self.recipe.language, settings, records.drop, writer.problem):
            records.keep()
            _take(writer, read.page, read.captured_at)

    def _table(self, writer: PartWriter, index: int, start: int, path: str) -> None:
        source = self.recipe.sources[index]
        assert isinstance(source, TableSource)
        name = os.path.basename(path)
        with Files(self.recipe, index).open(path) as stream:
            found = table.rows(stream, path, source, start, source.rows_per_part)
            for number, row in enumerate(found, start):
                candidate, written = table.candidate(row or {}, source, f"{name}@{number}")
                if row is None:
                    writer.drop(candidate, table.TABLE_ROW_UNREADABLE)
                elif not candidate.url:
                    writer.drop(candidate, NOT_HTTP if "://" in written else NO_ADDRESS)
                elif not candidate.caption:
                    writer.drop(candidate, NO_CAPTION)
                else:
                    writer.keep(candidate)


def _take(writer: PartWriter, page: Page, captured_at: str) -> None:
    """Write what a page gave."""
    pages = writer.count("page")
    if page.reason is not None:
        pages.drop(page.reason)
        return
    pages.keep()
    for candidate in page.candidates:
        candidate.captured_at = captured_at
        writer.keep(candidate)
    for candidate, reason in page.dropped:
        writer.drop(candidate, reason)
    if page.beyond:
        writer.rows.read += page.beyond
        writer.rows.dropped[str(TOO_MANY_ON_PAGE)] += page.beyond


def _there(source: CommonCrawl, path: str) -> IO[bytes]:
    """A WAT file that is listed, to be read."""
    try:
        return buffered(source.store, path)
    except GoneError as error:
        raise source.is_gone(path, error) from error


def _locations(corpus: Corpus, selected: str, start: int, count: int) -> list[dict[str, Any]]:
    """Rows `start` to `start + count` of a part of the select stage."""
    rows: list[dict[str, Any]] = []
    for batch in corpus.batches(Select.name, selected, LOCATION.names):
        rows += batch.slice(min(start, batch.num_rows), count - len(rows)).to_pylist()
        start = max(0, start - batch.num_rows)
        if len(rows) == count:
            break
    return rows


def _rows(files: Files, file: File) -> int:
    known = _counted.get(file)
    if known is None:
        with files.open(file.path) as stream:
            known = _counted[file] = table.count_rows(stream, file.path)
    return known


_counted: dict[File, int] = {}
"""Rows of the tables counted so far: a CSV must be read to its end for it."""
