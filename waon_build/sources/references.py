"""References to images with their captions -> candidates, each or one reason why not.

The references of a page come from its markup, or from what a WAT record keeps of it: they are judged alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from waon_build.records import Candidate, Evidence, Reason, normalised
from waon_build.sources.addresses import Attributes, absolute
from waon_build.sources.figures import LONGEST_TEXT, folded

NO_CAPTION = Reason(
    "no_caption",
    stage="extract",
    what="An image without alternative text, figure caption or title.",
    why="Nothing says what it shows.",
)
NO_ADDRESS = Reason(
    "no_address",
    stage="extract",
    what="An image element without an address, or with one that cannot be an address.",
    why="Nothing can be fetched.",
)
INLINE_IMAGE = Reason(
    "inline_image",
    stage="extract",
    what="An image written into the page itself (`data:`), with no other address.",
    why="Placeholders and icons.",
)
NOT_HTTP = Reason(
    "not_http",
    stage="extract",
    what="An image address of another scheme than http and https.",
    why="Nothing else is fetched.",
)
TRACKING_PIXEL = Reason(
    "tracking_pixel",
    stage="extract",
    what="An image that the page shows at one pixel or none in either direction.",
    why="It counts readers; it shows nothing.",
)
REPEATED_ON_PAGE = Reason(
    "repeated_on_page",
    stage="extract",
    what="The same image with the same caption again on one page.",
    why="Lazy loaders write an image twice (`<noscript>`), and galleries more often.",
)
TOO_MANY_ON_PAGE = Reason(
    "too_many_on_page",
    stage="extract",
    what="Image references of one page beyond this number.",
    why="A page of a thousand images is a list or an attack.",
    setting="extract.max_candidates_per_page",
)


@dataclass(slots=True)
class Page:
    """What one page gave. reason: why it gave nothing, or "". dropped: (reference, reason). beyond: how many
    more references are dropped for TOO_MANY_ON_PAGE than are in `dropped`."""

    reason: Reason | None = None
    candidates: list[Candidate] = field(default_factory=list)
    dropped: list[tuple[Candidate, Reason]] = field(default_factory=list)
    beyond: int = 0


class References:
    """The references of one page, judged one after the other. page: what they gave so far.

    base: what addresses are joined to. evidence: what the page says of its use. source: where it was read."""

    def __init__(
        self, url: str, base: str, language: str, title: str, licence: str, evidence: list[Evidence], source: str
    ) -> None:
        self.page = Page()
        self._url, self._base, self._language = url, base, language
        self._title, self._evidence, self._source = title, evidence, source
        joined = absolute(licence, base) or ""
        self._licence = joined if joined != base else ""
        self._seen: set[tuple[str, str]] = set()

    def add(self, written: str, attributes: Attributes, figcaption: str = "", context: str = "") -> None:
        """Judge one reference. written: its address as in the page. attributes: of its `<img>`, as far as known."""
        captions = _captions(attributes, figcaption)
        url = absolute(written, self._base) if written else None
        reason = _why_not(written, url, attributes)
        if reason is None and not captions:
            reason = NO_CAPTION
        if reason is not None or url is None:
            source, caption, _ = captions[0] if captions else ("", "", "")
            self._drop(url or written[:200], caption, source, context, reason or NO_ADDRESS)
            return
        for source, caption, compared in captions:
            key = (url, compared)
            if key in self._seen:
                self._drop(url, caption, source, context, REPEATED_ON_PAGE)
                continue
            self._seen.add(key)
            self.page.candidates.append(self._candidate(url, caption, source, context))

    def beyond(self, written: Iterable[str], count: int) -> None:
        """Drop the references that are too many for one page: `count` of them. written: their addresses."""
        self.page.beyond = max(0, count - _SHOWN_BEYOND)
        for one in islice(written, _SHOWN_BEYOND):
            self._drop(one, "", "", "", TOO_MANY_ON_PAGE)

    def _candidate(self, url: str, caption: str, caption_source: str, context: str) -> Candidate:
        return Candidate(
            url=url,
            caption=caption,
            caption_source=caption_source,
            page_url=self._url,
            page_title=self._title,
            page_language=self._language,
            context=context,
            licence_url=self._licence,
            rights=self._evidence,
            source=self._source,
        )

    def _drop(self, url: str, caption: str, caption_source: str, context: str, reason: Reason) -> None:
        self.page.dropped.append((self._candidate(url, caption, caption_source, context), reason))


_SHOWN_BEYOND = 100
"""References of one page dropped for TOO_MANY_ON_PAGE that are kept to be sampled; the rest are counted."""


def _captions(attributes: Attributes, figcaption: str) -> list[tuple[str, str, str]]:
    """The captions of an image, most telling first: figure caption, alternative text when it says
    something else, title when there is neither. Each is (source, caption, what it is compared by)."""
    found = []
    alt = folded((attributes.get("alt") or "")[:LONGEST_TEXT])
    if figcaption:
        found.append(("figcaption", figcaption, normalised(figcaption)))
    if alt and alt != figcaption and (compared := normalised(alt)) != (found[0][2] if found else ""):
        found.append(("alt", alt, compared))
    if not alt and not figcaption and (title := folded((attributes.get("title") or "")[:LONGEST_TEXT])):
        found.append(("title", title, normalised(title)))
    return found


def _why_not(written: str, url: str | None, attributes: Attributes) -> Reason | None:
    if not written or written.startswith("#"):  # a script puts the picture there, or nobody does
        return NO_ADDRESS
    if written[:5].lower() == "data:":
        return INLINE_IMAGE
    if url is None:
        return NO_ADDRESS
    if not url.startswith(("http://", "https://")):
        return NOT_HTTP
    if (attributes.get("width") or "").strip() in ("0", "1") or (attributes.get("height") or "").strip() in ("0", "1"):
        return TRACKING_PIXEL
    return None
