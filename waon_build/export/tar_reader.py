"""The samples of a tar as a release must have them: read member by member, and believed in nothing.

Stricter than any loader, on purpose: what this reads, all of them read alike. Time and memory are
bounded by the file, whatever its headers claim.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from waon_build.export.shards import BLOCK, header, padding


class TarError(ValueError):
    """A tar that is not as a release has it: in words."""


class StoredSample(NamedTuple):
    """A sample as its bytes are. offset: of the image in the tar."""

    key: str
    image: bytes
    caption: bytes
    json: bytes
    offset: int


def samples_in(file: IO[bytes], size: int, image_suffix: str, state: Any) -> Iterator[StoredSample]:
    """The samples of a tar of `size` bytes. state: a hash that is fed all bytes read.

    Raises TarError at the first member that is not as it must be."""
    reader = _Reader(file, size, state)
    while (first := reader.member()) is not None:
        key, dot, suffix = first.name.partition(".")
        if not dot or suffix != image_suffix:
            raise TarError(f"{first.name}: a sample begins with KEY.{image_suffix}")
        texts = []
        for wanted in ("txt", "json"):
            member = reader.member()
            if member is None or member.name != f"{key}.{wanted}":
                found = member.name if member else "the end"
                raise TarError(f"{key}: {found} stands where {key}.{wanted} must: members are not side by side")
            texts.append(member.data)
        yield StoredSample(key, first.data, texts[0], texts[1], first.offset)
    reader.end()


class _Member(NamedTuple):
    name: str
    data: bytes
    offset: int


class _Reader:
    def __init__(self, file: IO[bytes], size: int, state: Any) -> None:
        self._file, self._size, self._state = file, size, state
        self._position = 0

    def member(self) -> _Member | None:
        """The next member, or None at the blocks of zeros that end a tar."""
        block = self._read(BLOCK)
        if not any(block):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError, ValueError) as error:
            raise TarError(f"byte {self._position - BLOCK}: is no tar header ({error})") from error
        if info.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            raise TarError(f"{info.name}: is a PAX or GNU extension: the same release would not have the same bytes")
        if not _is_plain(block, info):
            raise TarError(f"{info.name}: its header is not the plain one (mode 644, owner 0, time 0)")
        offset = self._position
        data = self._read(info.size)
        if any(self._read(padding(info.size))):
            raise TarError(f"{info.name}: is not padded with zeros")
        return _Member(info.name, data, offset)

    def end(self) -> None:
        """Read on to the end of the file: one more block of zeros, and zeros up to a full record."""
        left = self._size - self._position
        if left != BLOCK + -(self._position + BLOCK) % tarfile.RECORDSIZE or any(self._read(left)):
            raise TarError("does not end as a tar does")

    def _read(self, size: int) -> bytes:
        if size > self._size - self._position:
            raise TarError(f"byte {self._position}: ends in the middle of a member")
        data = self._file.read(size)
        self._position += len(data)
        self._state.update(data)
        if len(data) != size:
            raise TarError(f"byte {self._position}: ends in the middle of a member")
        return data


def _is_plain(block: bytes, info: tarfile.TarInfo) -> bool:
    try:
        return block == header(info.name, info.size)
    except ValueError:
        return False
