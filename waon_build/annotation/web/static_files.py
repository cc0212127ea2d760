"""The files that pages load: read once, served from memory, looked at again at each load of a page."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from waon_build.annotation.web.problems import not_found

_MEDIA_TYPES = {"js": "text/javascript", "webmanifest": "application/manifest+json", "svg": "image/svg+xml"}


class _File(NamedTuple):
    data: bytes
    media_type: str
    etag: str


class StaticFiles:
    """The files of the folder `static`. Other names than theirs lead nowhere."""

    def __init__(self) -> None:
        folder = resources.files("waon_build.annotation.web").joinpath("static")
        self._files = dict(_files(folder))

    async def serve(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise not_found()
        headers = {"etag": file.etag, "cache-control": "no-cache"}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.media_type, headers=headers)


def _files(folder: Traversable, above: str = "") -> Iterator[tuple[str, _File]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{above}{entry.name}/")
        else:
            data = entry.read_bytes()
            yield above + entry.name, _File(data, _media_type(entry.name), f'"{sha256(data).hexdigest()[:20]}"')


def _media_type(name: str) -> str:
    known = _MEDIA_TYPES.get(name.rpartition(".")[2])
    return known or mimetypes.guess_type(name)[0] or "application/octet-stream"
