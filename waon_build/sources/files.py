"""The files of a source, wherever they are: local, `https://`, `s3://`, or anything else that fsspec opens."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import fsspec

from waon_build.recipe import Recipe
from waon_build.records import InputError, in_a_line
from waon_build.rights.agent import AGENT, user_agent
from waon_build.source_settings import SiteSource


class File(NamedTuple):
    """One file of a source. state: what changes when the file does; a remote file is taken to stay as it
    is, so that a list of a hundred thousand costs no request."""

    path: str
    state: str


class Files:
    """How the files of one source are found and opened. index: of the source in the recipe."""

    def __init__(self, recipe: Recipe, index: int) -> None:
        source = recipe.sources[index]
        self.index = index
        self._own = None if isinstance(source, SiteSource) else source.storage_options
        self._shared = recipe.runtime.storage_options
        self._agent = user_agent(recipe.fetch.contact) if recipe.fetch.contact else AGENT

    def expanded(self, paths: list[str], prefix: str = "") -> list[File]:
        """The files that paths, globs and lists of paths name. prefix: put before each line of a list. Raises
        InputError for a file that is not there."""
        return [file for path in paths for file in self._expanded(path, prefix)]

    def open(self, path: str) -> IO[bytes]:
        """Raises InputError when it cannot be opened."""
        try:
            compression = "infer" if path.endswith((".csv.gz", ".tsv.gz", ".jsonl.gz", ".json.gz")) else None
            stream: IO[bytes] = fsspec.open(path, "rb", compression=compression, **self.options(path)).open()
        except (OSError, ValueError, ImportError) as error:
            problem = in_a_line(error)
            raise InputError(
                f"{path}: cannot be opened ({problem}): give `sources` the path of a file that is there"
            ) from error
        return stream

    def system(self, path: str) -> tuple[fsspec.AbstractFileSystem, str]:
        """The file system that a path is in, and what it calls it. Raises InputError when there is none."""
        try:
            fs, inner = fsspec.core.url_to_fs(path, **self.options(path))
        except (ValueError, ImportError) as error:
            problem = in_a_line(error)
            raise InputError(f"{path}: cannot be opened ({problem}): mend sources.{self.index}") from error
        return fs, inner

    def options(self, path: str) -> dict[str, Any]:
        """What fsspec is given to open a path: keys of a bucket mean nothing to a web server."""
        if not _is_remote(path):
            return {}
        if not _is_http(path):
            return self._shared if self._own is None else self._own
        own = self._own or {}
        return {**own, "headers": {"User-Agent": self._agent, **own.get("headers", {})}}

    def lines(self, path: str) -> list[str]:
        """The lines of a list, which may be compressed. Raises InputError when it cannot be read."""
        try:
            with self.open(path) as stream:
                return lines_of(stream.read())
        except (UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
            raise InputError(
                f"{path}: is not a list of paths, one a line: mend it, or give {self._field} another"
            ) from error

    @property
    def _field(self) -> str:
        return f"sources.{self.index}.paths"

    def _expanded(self, path: str, prefix: str) -> Iterator[File]:
        if path.removesuffix(".gz").endswith((".paths", ".txt")):
            lines = self.lines(path)
            if not lines:  # or all that came of it would be taken back
                raise InputError(f"{path}: names no file: give {self._field} a list of files that are there")
            yield from (self._file(prefix + line) for line in lines)
        elif any(char in path for char in "*?["):
            fs, pattern = self.system(path)
            found = sorted(fs.glob(pattern))
            if not found:
                raise InputError(f"{path}: no file matches: give {self._field} the path of files that are there")
            yield from (self._file(fs.unstrip_protocol(one) if "://" in path else one) for one in found)
        else:
            yield self._file(path)

    def _file(self, path: str) -> File:
        if _is_remote(path):
            return File(path, "")
        try:
            info = os.stat(path.removeprefix("file://"))
        except OSError as error:
            raise InputError(
                f"{path}: {error.strerror}: give {self._field} the path of a file that is there"
            ) from error
        return File(path, f"{info.st_size} {info.st_mtime_ns}")


def lines_of(data: bytes) -> list[str]:
    """The lines of a text, compressed or not, without blank ones. Raises what damaged data raises."""
    text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode("utf-8")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _is_remote(path: str) -> bool:
    return "://" in path and not path.startswith("file://")


def _is_http(path: str) -> bool:
    return path.startswith(("http://", "https://"))
