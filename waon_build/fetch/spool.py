"""Where the images of a part lie while it is made, and the tar they end in.

Images come in whatever order the network gives; the tar is written in the order of their URLs, so that
its bytes do not depend on timing. Nothing here decodes or asks.
"""

from __future__ import annotations

import tarfile
from typing import IO, Final, NamedTuple

_BLOCK: Final = 512
HEADER: Final = _BLOCK
"""Bytes before those of an image."""
END: Final = 2 * _BLOCK
"""Bytes after the last one."""
GONE: Final = "gone"


class Place(NamedTuple):
    """Where bytes lie in a file."""

    offset: int
    size: int


class Spool:
    """Bytes set aside on disk, in the order they come, until the part is finished. For one thread."""

    def __init__(self, folder: str) -> None:
        self._file = open(f"{folder}/spool", "w+b")  # noqa: SIM115 - closed by close()
        self._end = 0

    def put(self, data: bytes) -> Place:
        self._file.seek(self._end)
        self._file.write(data)
        place = Place(self._end, len(data))
        self._end += len(data)
        return place

    def get(self, place: Place) -> bytes:
        self._file.seek(place.offset)
        return self._file.read(place.size)

    def close(self) -> None:
        self._file.close()


class ImageTar:
    """A tar of images (ustar, no times, no owners): the same images in the same order give the same bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - see close()
        self._file = file
        self._places: dict[str, Place] = {}

    def place(self, sha256: str) -> Place | None:
        """Where the image made from the bytes of this digest lies already, if it does."""
        return self._places.get(sha256)

    def add(self, sha256: str, suffix: str, data: bytes) -> Place:
        """Write one image. Returns where its bytes lie in the file."""
        member = tarfile.TarInfo(f"{sha256[:32]}.{suffix}")
        member.size = len(data)
        member.mode = 0o644
        self._file.write(member.tobuf(tarfile.USTAR_FORMAT))
        place = self._places[sha256] = Place(self._file.tell(), len(data))
        self._file.write(data + bytes(-len(data) % _BLOCK))
        return place

    def keep_clear(self, offset: int) -> None:
        """Write zeros where an image lay that is no more, so that the next one's bytes lie at `offset` or after it. A
        tar reader sees them as a member called GONE."""
        missing = -(-offset // _BLOCK) * _BLOCK - self._file.tell() - 2 * HEADER
        if missing >= 0:  # there is room for a header of its own, and for that of the image
            member = tarfile.TarInfo(GONE)
            member.size = missing
            self._file.write(member.tobuf(tarfile.USTAR_FORMAT) + bytes(missing))

    def close(self) -> None:
        """Write the end of the archive."""
        self._file.write(bytes(END))
