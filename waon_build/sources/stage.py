"""The extract stage: WARC files, crawled sites and tables -> candidates.

One part a WARC file, a crawl, or a chunk of a table's rows. The part's tally counts the image references
of accepted pages; its units count the records of the file and the pages among them.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

import fsspec

from waon_build import languages
from waon_build.corpus import Corpus, Part, PartWriter, fingerprint, part_name
from waon_build.recipe import Recipe, TableSource, WarcSource
from waon_build.records import CANDIDATE, InputError, Tally, digest16
from waon_build.sources import table, warc
from waon_build.sources.html import read_page
from waon_build.sources.references import NO_ADDRESS, NO_CAPTION, NOT_HTTP, TOO_MANY_ON_PAGE
from waon_build.sources.site import crawls


class _File(NamedTuple):
    """One file of a source. state: what changes when the file does; a remote file is taken to stay as it
    is, so that a list of a hundred thousand costs no request."""

    path: str
    state: str


class Extract:
    """Candidates out of every source. See `waon_build.corpus.Stage`."""

    name = "extract"
    kind = "cpu"
    version = 1

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.options = recipe.runtime.storage_options
        languages.get(recipe.language)

    def inputs(self, corpus: Corpus) -> list[Part]:
        """A part for each WARC file, each crawl and each chunk of a table. Raises InputError for a file
        that is not there."""
        settings = {"language": self.recipe.language, **self.recipe.extract.model_dump()}
        wanted = crawls(self.recipe)
        parts = [
            Part(tally.part, f"crawl:{tally.part}", fingerprint(self.name, self.version, settings, [tally.digest]))
            for tally in corpus.tallies("crawl")
            if tally.part in wanted
        ]
        for index, source in enumerate(self.recipe.sources):
            if isinstance(source, WarcSource):
                for file in self._files(source.paths, index, source.prefix)[: source.first]:
                    made_from = fingerprint(self.name, self.version, settings, [file.path, file.state])
                    parts.append(Part(part_name(file.path), f"warc:{file.path}", made_from))
            elif isinstance(source, TableSource):
                columns = source.model_dump(exclude={"paths"})
                read_as = digest16(json.dumps(columns, sort_keys=True))[:6]
                for file in self._files(source.paths, index):
                    for start in range(0, max(1, self._rows(file)), source.rows_per_part):
                        made_from = fingerprint(
                            self.name, self.version, columns, [self.recipe.language, file.path, file.state, str(start)]
                        )
                        # The same file may be read twice, for one column of captions and for another.
                        name = f"{part_name(file.path)}-{read_as}-{start // source.rows_per_part:06d}"
                        parts.append(Part(name, f"table:{index}:{start}:{file.path}", made_from))
        return sorted({part.name: part for part in parts}.values())

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Read one part's source. Raises InputError when nothing of it can be read."""
        kind, _, rest = part.source.partition(":")
        with corpus.write(self.name, part, CANDIDATE) as writer:
            if kind == "table":
                index, start, path = rest.split(":", 2)
                self._table(writer, int(index), int(start), path)
            elif kind == "crawl":
                pages = corpus.file("crawl", rest, "pages")
                if pages is None:
                    raise InputError(f"{corpus.path('crawl', rest)}: its pages are gone: run the crawl stage again")
                with corpus.fs.open(pages, "rb") as stream:
                    self._warc(writer, stream, f"crawl/{rest}", ours=True)
            else:
                with self._open(rest) as stream:
                    self._warc(writer, stream, rest, ours=False)
            return writer.commit()

    def _warc(self, writer: PartWriter, stream: IO[bytes], name: str, ours: bool) -> None:
        records, pages = writer.count("record"), writer.count("page")
        settings = self.recipe.extract
        for response in warc.html_pages(stream, name, settings.max_page_bytes, records.drop, writer.problem):
            records.keep()
            page = read_page(
                response.url,
                response.headers,
                response.body,
                self.recipe.language,
                settings,
                # Where a record lies in a crawl of ours depends on when it was made; a release must not.
                source=name if ours else f"{os.path.basename(name)}@{response.offset}",
            )
            if page.reason is not None:
                pages.drop(page.reason)
                continue
            pages.keep()
            for candidate in page.candidates:
                if not ours:
                    candidate.captured_at = response.captured_at
                writer.keep(candidate)
            for candidate, reason in page.dropped:
                writer.drop(candidate, reason)
            if page.beyond:
                writer.rows.read += page.beyond
                writer.rows.dropped[str(TOO_MANY_ON_PAGE)] += page.beyond

    def _table(self, writer: PartWriter, index: int, start: int, path: str) -> None:
        source = self.recipe.sources[index]
        assert isinstance(source, TableSource)
        name = os.path.basename(path)
        with self._open(path) as stream:
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

    # --- files, wherever they are

    def _files(self, paths: list[str], index: int, prefix: str = "") -> list[_File]:
        return [file for path in paths for file in self._expanded(path, index, prefix)]

    def _expanded(self, path: str, index: int, prefix: str) -> Iterator[_File]:
        field = f"sources.{index}.paths"
        if path.removesuffix(".gz").endswith((".paths", ".txt")):
            for line in self._lines(path, field):
                yield self._file(prefix + line, field)
        elif any(char in path for char in "*?["):
            fs, pattern = fsspec.core.url_to_fs(path, **self.options)
            found = sorted(fs.glob(pattern))
            if not found:
                raise InputError(f"{path}: no file matches: give {field} the path of files that are there")
            yield from (self._file(fs.unstrip_protocol(one) if "://" in path else one, field) for one in found)
        else:
            yield self._file(path, field)

    def _file(self, path: str, field: str) -> _File:
        if "://" in path and not path.startswith("file://"):
            return _File(path, "")
        try:
            info = os.stat(path.removeprefix("file://"))
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}: give {field} the path of a file that is there") from error
        return _File(path, f"{info.st_size} {info.st_mtime_ns}")

    def _lines(self, path: str, field: str) -> list[str]:
        try:
            with self._open(path) as stream:
                data = stream.read()
            text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8")
        except (UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
            raise InputError(f"{path}: is not a list of paths, one a line: mend it, or give {field} another") from error
        return [line.strip() for line in text.splitlines() if line.strip()]

    def _open(self, path: str) -> IO[bytes]:
        try:
            compression = "infer" if path.endswith((".csv.gz", ".tsv.gz", ".jsonl.gz", ".json.gz")) else None
            stream: IO[bytes] = fsspec.open(
                path, "rb", compression=compression, **(self.options if "://" in path else {})
            ).open()
        except (OSError, ValueError, ImportError) as error:
            problem = " ".join(str(error).split())[:200]
            raise InputError(
                f"{path}: cannot be opened ({problem}): give `sources` the path of a file that is there"
            ) from error
        return stream

    def _rows(self, file: _File) -> int:
        known = _counted.get(file)
        if known is None:
            with self._open(file.path) as stream:
                known = _counted[file] = table.count_rows(stream, file.path)
        return known


_counted: dict[_File, int] = {}
"""Rows of the tables counted so far: a CSV must be read to its end for it."""
