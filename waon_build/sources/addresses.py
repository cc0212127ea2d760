"""Addresses of images in an element's attributes: which of the many is the picture, and the largest of it.

Pages write the address of a picture in `src`, in a lazy loader's attribute while `src` holds a
placeholder, or in a `srcset` of sizes. Nothing here judges whether a picture is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit

SRCSETS = ("srcset", "data-srcset", "data-lazy-srcset", "data-original-set")
LAZY = (
    "data-src", "data-original", "data-lazy-src", "data-lazy", "data-original-src", "data-echo", "data-image",
    "data-img-src", "data-url", "data-full-src", "data-large-file", "data-orig-file", "data-actualsrc",
    "data-hi-res-src", "data-lazyload", "data-lazy-original", "data-cfsrc",
)  # fmt: skip
"""Attributes in which lazy loaders and galleries keep the true address."""
_OF_MANY_USES = frozenset(("data-url", "data-image", "data-lazy"))
"""Those that scripts also keep links, versions and switches in: believed where `src` is nothing, or where they
name a picture's file."""
_PICTURE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|bmp)(?:[?#&]|\Z)", re.IGNORECASE)

_ELSEWHERE = frozenset((*SRCSETS, *LAZY))

Attributes = Mapping[str, str | None]

_SPACES = " \t\r\n\f"
LONGEST = 4096
"""Characters of an address, and candidates of a srcset, that are looked at: longer ones are attacks."""
_SAFE = "!#$%&'()*+,/:;=?@[]~"


def address(image: Attributes, sources: Sequence[Attributes]) -> str:
    """The address of the picture as written, or "". image: attributes of the `<img>`. sources: of the
    `<source>` elements of its `<picture>`. The largest of all sizes; else a lazy address; else `src`."""
    if not sources and _ELSEWHERE.isdisjoint(image):
        return (image.get("src") or "").strip(_SPACES)
    best, size = "", 0.0
    for attributes in (image, *sources):
        for name in SRCSETS:
            if srcset := attributes.get(name):
                for url, width in in_srcset(srcset):
                    if width > size and not _is_inline(url):
                        best, size = url, width
    if best and size > 1:
        return best
    src = (image.get("src") or "").strip(_SPACES)
    for name in LAZY:
        url = (image.get(name) or "").strip(_SPACES)
        if not url or _is_inline(url) or not _looks_like_address(url):
            continue
        if name not in _OF_MANY_USES or not src or _is_inline(src) or _PICTURE.search(url):
            return url
    if src and not _is_inline(src):
        return src
    return best or src


_READ = frozenset((
    "", "image/jpeg", "image/jpg", "image/pjpeg", "image/png", "image/x-png", "image/apng", "image/gif", "image/webp",
    "image/avif", "image/bmp", "image/x-ms-bmp",
))  # fmt: skip


def is_read(source: Attributes) -> bool:
    """Whether a `<source>` is of a kind that is decoded here: JPEG XL, HEIC and SVG would win by their size, and
    be lost."""
    return (source.get("type") or "").partition(";")[0].strip().lower() in _READ


def in_srcset(srcset: str) -> Iterator[tuple[str, float]]:
    """The (url, size) of a srcset's candidates; size is the width in pixels, or the density times 1.
    Source: HTML Standard, "parsing a srcset attribute". Commas may stand in a URL but not at its end."""
    rest = srcset[: LONGEST * 16].strip(_SPACES + ",")
    for _ in range(100):
        pieces = rest.split(None, 1)
        if not pieces:  # also when there is nothing but white space of other scripts
            return
        url, rest = pieces[0], pieces[1] if len(pieces) == 2 else ""
        if url.endswith(","):
            yield url.rstrip(","), 1.0
            rest = rest.lstrip(_SPACES + ",")
            continue
        descriptor, _, rest = rest.partition(",")
        yield url, _size(descriptor)
        rest = rest.lstrip(_SPACES + ",")


def absolute(url: str, base: str) -> str | None:
    """`url` joined to `base`, without its fragment and with what is not ASCII percent-encoded; None when
    it is no address. A backslash in a path is a slash, as browsers read it."""
    if len(url) > LONGEST:
        return None
    here = url[2:] if url.startswith("./") and url[2:3] not in ("", "/", "?", "#") else url
    # Nine in ten are like this; the general way takes ten times as long.
    if base.isascii() and _PLAIN.fullmatch(here) and "/." not in here and (here is url or ":" not in here):
        origin, folder = _places(base)
        if here.startswith("http") and ":" in here:
            return here
        return (origin if here.startswith("/") else folder) + here
    if "\\" in url:
        path = _PATH.match(url)
        url = path[0].replace("\\", "/") + url[path.end() :] if path else url
    try:
        joined = urljoin(base, url.strip(_SPACES).replace("\n", "").replace("\r", "").replace("\t", ""))
        joined = joined.partition("#")[0]
        parts = urlsplit(joined)
        parts.port  # noqa: B018  (raises for a port that is none)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme in ("http", "https") and not host:
        return None
    joined = parts.scheme + joined[len(parts.scheme) :]
    if not joined.isascii() or " " in joined or '"' in joined:
        host = parts.netloc
        if not host.isascii():
            try:
                host = host.encode("idna").decode("ascii")
            except UnicodeError:
                return None
        tail = joined.split("://", 1)[-1].removeprefix(parts.netloc) if parts.netloc else joined
        joined = f"{parts.scheme}://{host}{quote(tail, safe=_SAFE, errors='replace')}"
    return joined


_PLAIN = re.compile(
    r"(?:https?://[a-z0-9-]+(?:\.[a-z0-9-]+)+/|/(?!/)|(?=[A-Za-z0-9_~%]))(?![A-Za-z+-]+:)[A-Za-z0-9._~!$&'()*+,;=@%/-]*"
)
"""An address that only has to be put behind the page's origin or folder, or is whole already."""


_PATH = re.compile(r"(?!\s*(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:)[^?#]*", re.IGNORECASE)
"""What comes before a query, of an address that is of no other scheme than http and https."""


@lru_cache(maxsize=64)
def _places(base: str) -> tuple[str, str]:
    """The origin of a page and its folder, up to the last slash of its path."""
    parts = urlsplit(base)
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path if "./" not in parts.path else urlsplit(urljoin(base, ".")).path
    return origin, origin + (path.rpartition("/")[0] + "/" if path else "/")


_SIZE = re.compile(r"(?<![\w.])(\d{1,7}(?:\.\d{1,5})?|\.\d{1,5})[wx](?!\w)")


@lru_cache(maxsize=256)
def _size(descriptor: str) -> float:
    """Widths count above densities: `640w` is 640, `2x` is 2, none is 1."""
    found = _SIZE.search(descriptor)
    return float(found[1]) if found else 1.0


def _is_inline(url: str) -> bool:
    return url[:5].lower() == "data:"


def _looks_like_address(text: str) -> bool:
    """Lazy attributes also hold JSON and numbers."""
    return ("/" in text or "." in text) and _IN_JSON.isdisjoint(text)


_IN_JSON = frozenset('{}"<>')
