"""The select stage: index or WAT files of Common Crawl -> where the pages that we want lie in its WARC files.

One part a file. An index file has ten million rows, so they are counted and chosen in SQL (`select.sql`), of which
DuckDB reads only the columns and row groups that it needs. Rows are ordered by WARC file and offset, so that near
pages can be read in one request. Nothing here reads a page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from fsspec.spec import AbstractFileSystem

from waon_build.corpus import Corpus, Part, fingerprint
from waon_build.part_writer import ROW_GROUP, PartWriter
from waon_build.recipe import Recipe
from waon_build.records import Counts, InputError, Reason, Tally, in_a_line
from waon_build.sources import wat
from waon_build.sources.common_crawl import CommonCrawl, sources
from waon_build.sources.declared import could_be_in
from waon_build.sources.ranges import GAP, GoneError, RemoteFile, Store, buffered
from waon_build.sql import in_row_groups, statements_of


def _reason(word: str, what: str, why: str, setting: str = "") -> Reason:
    return Reason(word, stage="select", what=what, why=why, setting=setting, source="Common Crawl's index or WAT")


_reason("not_ok", "A capture with another status than 200.", "An error page or a redirect is not the page.")
_reason("not_html", "A capture of another content type than HTML.", "Only pages hold captions.")
_reason(
    "page_in_another_language",
    "A page whose languages in the index are others, or whose WAT record says another.",
    "Captions come from the language's own pages. What is left is judged once more by its text.",
    "sources.languages sources.among_first",
)
_reason("language_not_known", "A page without a language in the index.", "It has too little text to tell.")
NO_LOCATION = _reason(
    "no_location",
    "A page of which the index or WAT does not say where it lies, or that is larger than a page may be.",
    "It cannot be read.",
    "extract.max_page_bytes",
)
_reason("not_a_response", "A WAT record of a request, of a crawl's own notes, and the like.", "It is of no page.")
_reason("revisit_record", "A WAT record of a page as in an earlier capture.", "The page is there, not here.")
_reason("bad_address", "A page whose address is none.", "Nobody could be asked for permission.")
_reason("record_unreadable", "A WAT record that cannot be read.", "The file is damaged there; its tally says where.")
_reason("page_too_large", "A WAT record of more bytes than this.", "It is generated.", "extract.max_page_bytes")
_reason(
    "page_refused",
    "A page whose robots meta, X-Robots-Tag, TDM reservation or Content-Usage refuses, by its WAT record.",
    "Its publisher said no. Nothing of it is read.",
)
PAGE_WITHOUT_CAPTIONS = _reason(
    "page_without_captions",
    "A page none of whose images has an alternative text or title in the language's script, by its WAT record.",
    "Reading it would give nothing, or captions of figures alone.",
)

LOCATION = pa.schema(
    [
        ("url", pa.string()),
        ("warc_filename", pa.string()),
        ("warc_record_offset", pa.int64()),
        ("warc_record_length", pa.int64()),
    ]
)
"""Where one page lies, by the names of the index. warc_filename: below the source's location."""

_MEMORY = "2GB"
"""For DuckDB, in each of the processes that select; beyond it, it spills."""
_NEEDED = (
    "url",
    "fetch_status",
    "content_mime_type",
    "content_mime_detected",
    "content_languages",
    *LOCATION.names[1:],
)


class Select:
    """Where the pages of a recipe's snapshots lie. See `waon_build.corpus.Stage`."""

    name = "select"
    kind = "cpu"
    version = 1

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def inputs(self, corpus: Corpus) -> list[Part]:
        """A part for each index or WAT file by which pages are found. Raises InputError as `CommonCrawl.paths`."""
        parts = []
        for source in selecting(self.recipe):
            settings = [source.key, self.recipe.language, self.recipe.extract.max_page_bytes]
            if source.settings.select == "wat":  # which looks at so many images for a caption
                settings.append(self.recipe.extract.max_candidates_per_page)
            for path in source.paths(corpus):
                made_from = fingerprint(self.name, self.version, settings, [path])
                parts.append(Part(source.part_name(path), f"{source.index}:{path}", made_from))
        return sorted({part.name: part for part in parts}.values())

    def run(self, corpus: Corpus, part: Part) -> Tally:
        """Read one file. Raises InputError when it is no such file, OSError when it may be had later."""
        index, _, path = part.source.partition(":")
        source = CommonCrawl(self.recipe, int(index))
        with corpus.write(self.name, part, LOCATION) as writer:
            try:
                if source.settings.select == "wat":
                    self._from_wat(writer, source, path)
                else:
                    self._from_index(writer, source, path)
            except GoneError as error:
                raise source.is_gone(path, error) from error
            return writer.commit()

    def _from_index(self, writer: PartWriter, source: CommonCrawl, path: str) -> None:
        longest = self.recipe.extract.max_page_bytes
        chosen = source.languages, source.settings.among_first
        with _Index(source.store, path, *chosen, longest, writer.folder) as index:
            for reason, count in index.counts():
                dropped = Counter({reason: count}) if reason else Counter[str]()
                writer.rows.add(Counts(count, 0 if reason else count, dropped))
            for row in index.samples():
                writer.sample({name: row[name] for name in LOCATION.names}, row["reason"])
            selected = 0
            for table in index.selected():
                writer.append_table(table)
                selected += table.num_rows
        if selected != writer.rows.kept:
            raise AssertionError(f"{path}: {selected} rows were selected, of {writer.rows.kept} counted")

    def _from_wat(self, writer: PartWriter, source: CommonCrawl, path: str) -> None:
        # The WARC files lie beside their WAT files: .../wat/NAME.warc.wat.gz, .../warc/NAME.warc.gz
        warc = re.sub(r"\.wat(?=\.gz$|$)", "", path.replace("/wat/", "/warc/"))
        language, settings = self.recipe.language, self.recipe.extract
        with buffered(source.store, path) as stream:
            for read in wat.read_pages(stream, path, language, settings, writer.rows.drop, writer.problem):
                row = dict(zip(LOCATION.names, (read.url, warc, read.offset, read.length), strict=True))
                captions = [one.caption for one in read.page.candidates]
                captions += [one.caption for one, _ in read.page.dropped]
                if read.page.reason is not None:
                    writer.drop(row, read.page.reason)
                elif not any(could_be_in(language, caption) for caption in captions):
                    writer.drop(row, PAGE_WITHOUT_CAPTIONS)
                elif not 0 < read.length <= settings.max_page_bytes:
                    writer.drop(row, NO_LOCATION)
                else:
                    writer.keep(row)


def selecting(recipe: Recipe) -> list[CommonCrawl]:
    """The sources of a recipe whose pages are selected before they are read."""
    return [one for one in sources(recipe) if one.settings.read == "warc"]


class _Index:
    """One index file, asked through DuckDB. longest: bytes of a record, compressed. folder: for what outgrows memory
    (a scratch folder)."""

    def __init__(
        self, store: Store, path: str, languages: tuple[str, ...], among_first: int, longest: int, folder: str
    ) -> None:
        self.path = path
        self._place = _OneFile(store, path)
        pieces = {
            "file": f"read_parquet('{_OneFile.protocol}://index.parquet', file_row_number = true, "
            "hive_partitioning = false)",
            "is_ours": _is_ours(languages, among_first),
            "is_placed": "warc_filename IS NOT NULL AND coalesce(warc_record_offset, -1) >= 0 "
            f"AND coalesce(warc_record_length, 0) BETWEEN 1 AND {longest}",
        }
        self._file = pieces["file"]
        statements = statements_of(Path(__file__).with_name("select.sql"))
        self._statements = {name: text.format(**pieces) for name, text in statements.items()}
        self._database = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "threads": 1,
                "memory_limit": _MEMORY,
                "temp_directory": folder,
                "parquet_prefetch_column_gap": GAP,  # or a guess at the network decides how much is read
            }
        )

    def __enter__(self) -> _Index:
        self._database.register_filesystem(self._place)
        there = {row[0] for row in self._asked(f"DESCRIBE FROM {self._file}")}
        if missing := [name for name in _NEEDED if name not in there]:
            raise InputError(
                f"{self.path}: has no column {missing[0]!r}: it is not Common Crawl's index, or older than "
                "CC-MAIN-2018-39, the first to name languages: leave it out of `snapshots`, or use select: wat"
            )
        self._asked(self._statements["page"])
        return self

    def __exit__(self, *_: object) -> None:
        self._database.unregister_filesystem(_OneFile.protocol)
        self._database.close()

    def counts(self) -> list[tuple[str | None, int]]:
        """(reason, rows); None for those that are selected."""
        return self._asked(self._statements["counts"])

    def samples(self) -> list[dict[str, Any]]:
        """A few dropped rows of each reason, with it."""
        names = [*LOCATION.names, "reason"]
        return [dict(zip(names, row, strict=True)) for row in self._asked(self._statements["samples"])]

    def selected(self) -> Iterator[pa.Table]:
        """The locations, in tables of ROW_GROUP rows."""
        with self._readable():
            yield from in_row_groups(self._database.sql(self._statements["selected"]).to_arrow_reader(ROW_GROUP))

    def _asked(self, statement: str) -> list[Any]:
        with self._readable():
            return self._database.execute(statement).fetchall()

    @contextmanager
    def _readable(self) -> Iterator[None]:
        """What DuckDB raises: of the network, as it was; of the file, as one line."""
        try:
            yield
        except duckdb.Error as error:
            if self._place.failure is not None:
                raise self._place.failure from error
            if isinstance(error, duckdb.OutOfMemoryException):
                raise
            problem = in_a_line(error)
            raise InputError(
                f"{self.path}: is not a Parquet file that can be read ({problem}): fetch it again, or leave its "
                "snapshot out of `snapshots`"
            ) from error


class _OneFile(AbstractFileSystem):  # type: ignore[misc]
    """The one file that DuckDB is given to read, by ranges. failure: what happened when it could not be.
    (What DuckDB would take for `https://` must be downloaded; and fsspec's own way lacks half of what it asks for.)"""

    protocol = "commoncrawl"
    cachable = False

    def __init__(self, store: Store, path: str) -> None:
        super().__init__()
        self._file = partial(RemoteFile, store, path, store.size(path))
        self.failure: Exception | None = None

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": self._file().size, "type": "file"}

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path]

    def modified(self, path: str) -> datetime:
        return datetime(2008, 1, 1, tzinfo=UTC)  # it is only asked whether it changed, and it does not

    def _open(self, path: str, mode: str = "rb", **_: Any) -> RemoteFile:
        return self._file(self._failed)

    def _failed(self, error: Exception) -> None:
        self.failure = error


def _is_ours(languages: tuple[str, ...], among_first: int) -> str:
    """A condition on a page's languages (`jpn,eng`, largest first). That of the first one is a prefix, by which
    DuckDB leaves out row groups."""
    if among_first == 1:
        return " OR ".join(f"content_languages LIKE '{code}%'" for code in languages)
    codes = ", ".join(f"'{code}'" for code in languages)
    return f"list_has_any(string_split(content_languages, ',')[:{among_first}], [{codes}])"
