"""Which files of which of Common Crawl's snapshots a recipe asks for, also while the list of them grows.

What was learned of a snapshot is kept in the corpus (`snapshots/`), so that a list is read once while it stays as
it is, and that a snapshot which is taken off the list, or a list that cannot be reached today, takes nothing back.
Nothing here reads pages.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple

from waon_build import languages
from waon_build.corpus import Corpus, part_name
from waon_build.recipe import Recipe
from waon_build.records import InputError, digest16, in_a_line
from waon_build.source_settings import CommonCrawlSource
from waon_build.sources.files import Files, lines_of
from waon_build.sources.ranges import GoneError, Store

COLLINFO = "https://index.commoncrawl.org/collinfo.json"
_OFFICIAL = "https://data.commoncrawl.org/"
_LISTS = {"index": "cc-index-table.paths.gz", "wat": "wat.paths.gz"}
"""Of the files by which pages are found, below `crawl-data/SNAPSHOT/`."""

log = logging.getLogger(__name__)


class _Listing(NamedTuple):
    """The files of one snapshot. state: what the list's own file was like when it was read."""

    files: list[str]
    state: str


@dataclass
class _Asked:
    """One look at what there is. is_silent: the store did not answer, and is asked no more. problems: what could
    not be read."""

    corpus: Corpus
    store: Store
    is_silent: bool = False
    problems: list[str] = field(default_factory=list)


class CommonCrawl:
    """One source of the kind `common_crawl`. index: of it in the recipe."""

    def __init__(self, recipe: Recipe, index: int) -> None:
        source = recipe.sources[index]
        assert isinstance(source, CommonCrawlSource)
        self.index, self.settings = index, source
        self.files = Files(recipe, index)
        self.languages = _languages(source, recipe)
        self._field = f"sources.{index}"
        self.key = _keys(recipe)[index]
        """Six hex digits for what is selected, and for whom: they end the names of the parts made by it."""

    @property
    def store(self) -> Store:
        return Store(self.files, self.settings.location)

    def part_name(self, path: str) -> str:
        """The name of the part made from one file."""
        return f"{part_name(path)}-{self.key}"

    def is_gone(self, path: str, error: GoneError) -> InputError:
        """What to say of a file that is listed and cannot be had."""
        return InputError(
            f"{self.settings.location}: {path} is listed, and cannot be had ({error}): mend the mirror or "
            f"{self._field}.storage_options, or take its snapshot out of {self._field}.snapshots"
        )

    def paths(self, corpus: Corpus) -> list[str]:
        """The index or WAT files of all snapshots that the source names, below its location. Raises InputError when
        none can be had; what can be had in part is told in the log, and the next run looks again."""
        store = self.store
        asked = _Asked(corpus, store)
        found: list[str] = []
        for name in self._names(asked):
            files = self._listing(asked, name)
            found += self._first(corpus, files, self.settings.first) if self.settings.first else files
        if not found:
            why = f" ({asked.problems[0]})" if asked.problems else ""
            raise InputError(
                f"{self.settings.location}: has no {self.settings.select} files of {', '.join(self.settings.snapshots)}"
                f"{why}: give {self._field}.snapshots those that are there, e.g. CC-MAIN-2025-13"
            )
        return found

    def _first(self, corpus: Corpus, files: list[str], most: int) -> list[str]:
        """A random few, the same in every run: what was taken stays when files are added."""
        taken = self._taken(corpus)
        return sorted(files, key=lambda path: (self.part_name(path) not in taken, digest16(path)))[:most]

    def _taken(self, corpus: Corpus) -> set[str]:
        """Names of the parts that are made from files, of this source or another."""
        return set(corpus.parts("extract" if self.settings.read == "wat" else "select"))

    # --- which snapshots there are

    def _names(self, asked: _Asked) -> list[str]:
        patterns = [name for name in self.settings.snapshots if any(char in name for char in "*?[")]
        names = set(self.settings.snapshots) - set(patterns)
        if patterns:
            known = [name for name in self._known(asked.corpus) if _matches(name, patterns)]
            try:
                names |= {name for name in self._listed(asked.store) if _matches(name, patterns)}
            except (GoneError, OSError, ValueError, TypeError, KeyError) as error:
                problem = f"the list of snapshots cannot be read ({in_a_line(error)})"
                if not known:
                    raise InputError(
                        f"{self.settings.location}: {problem}: try again later, or mend {self._field}.location or "
                        f"{self._field}.snapshot_list"
                    ) from error
                _tell(f"{self.settings.location}: {problem}: going on with those that are known")
            names |= set(known)
        return sorted(names)

    def _listed(self, store: Store) -> list[str]:
        """The snapshots that are published."""
        address = self.settings.snapshot_list
        if address is None and not self.settings.location.startswith(("http://", "https://")):
            return store.folders("crawl-data")
        if address is None:
            official = self.settings.location.rstrip("/") + "/" == _OFFICIAL
            address = COLLINFO if official else f"{store.location}/collinfo.json"
        folder, _, name = address.rpartition("/")
        return [str(one["id"]) for one in json.loads(Store(self.files, folder or ".").whole(name))]

    # --- which files a snapshot has

    def _listing(self, asked: _Asked, name: str) -> list[str]:
        corpus, store = asked.corpus, asked.store
        known = self._remembered(corpus, name)
        if asked.is_silent:  # who did not answer for one snapshot is not waited for at each of a hundred
            return known.files if known else []
        path = f"crawl-data/{name}/{_LISTS[self.settings.select]}"
        try:
            state = self._state(store.info(path))
            if known is not None and known.state == state:
                return known.files
            files = [line for line in lines_of(store.whole(path)) if self._is_wanted(line)]
        except (GoneError, OSError, EOFError, ValueError, zlib.error) as error:
            # A snapshot is announced before its index is there, and nothing is for ever.
            going_on = "going on with what is known" if known else "leaving it out; the next run looks again"
            problem = f"{store.location}/{path} cannot be read: {in_a_line(error)}"
            _tell(f"{problem}: {going_on}")
            asked.problems.append(problem)
            asked.is_silent |= isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile)
            return known.files if known else []
        if known is not None:  # what was taken stays
            taken = self._taken(corpus)
            there = set(files)
            files += [one for one in known.files if one not in there and self.part_name(one) in taken]
        corpus.put(self._place(corpus, name), gzip.compress(json.dumps([files, state]).encode(), mtime=0))
        return files

    def _is_wanted(self, path: str) -> bool:
        """The index also has what was no success (`crawldiagnostics`, `robotstxt`)."""
        return self.settings.select == "wat" or "/subset=warc/" in path

    def _state(self, info: dict[str, Any]) -> str:
        said = [info.get(key) for key in ("size", "ETag", "Last-Modified", "LastModified", "mtime")]
        return " ".join([self.settings.location, *map(str, said)])

    def _remembered(self, corpus: Corpus, name: str) -> _Listing | None:
        try:
            files, state = json.loads(gzip.decompress(corpus.fs.cat_file(self._place(corpus, name))))
        except FileNotFoundError:
            return None
        except (gzip.BadGzipFile, EOFError, ValueError, zlib.error):  # it can be had again
            return None
        return _Listing(files, state)

    def _known(self, corpus: Corpus) -> Iterator[str]:
        """The snapshots whose files are remembered."""
        try:
            places = corpus.fs.ls(corpus.path("snapshots"), detail=False, refresh=True)
        except FileNotFoundError:
            return
        for place in places:
            name = str(place).rsplit("/", 1)[-1]
            if name.endswith(suffix := f".{self.key}.json.gz"):
                yield name.removesuffix(suffix)

    def _place(self, corpus: Corpus, name: str) -> str:
        return corpus.path("snapshots", f"{name}.{self.key}.json.gz")


def sources(recipe: Recipe) -> list[CommonCrawl]:
    """The sources of a recipe that are Common Crawl's snapshots."""
    return [CommonCrawl(recipe, index) for index in _keys(recipe)]


def _keys(recipe: Recipe) -> dict[int, str]:
    """The key of each source that is Common Crawl's, by its place in the recipe. Where the files are is no part of
    it, as a mirror has the same ones, unless a source before it differs in nothing else."""
    keys: dict[int, str] = {}
    places: dict[str, str] = {}
    for index, source in enumerate(recipe.sources):
        if isinstance(source, CommonCrawlSource):
            wanted: list[str] = [source.select, source.read]
            if source.select == "index":
                wanted += [*_languages(source, recipe), str(source.among_first)]
            said = " ".join(wanted)
            is_another = places.setdefault(said, source.location) != source.location
            keys[index] = digest16(said, *([source.location] if is_another else []))[:6]
    return keys


def _languages(source: CommonCrawlSource, recipe: Recipe) -> tuple[str, ...]:
    return tuple(source.languages or [languages.get(recipe.language).iso639_3])


@cache
def _tell(text: str) -> None:
    """Once in a process: a run looks more than once."""
    log.warning("%s", text)


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
