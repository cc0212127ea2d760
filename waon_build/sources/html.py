"""One page -> its candidates: every image with every caption that the page gives it.

Reads the page as a browser without scripts does (lexbor), so that `<noscript>` fallbacks are seen. A
page is first asked whether it may be used and whether it is in the language: most pages are not, and
end before they are parsed. Nothing here reads files or asks the network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from selectolax.lexbor import LexborHTMLParser, LexborNode

from waon_build import languages, rights
from waon_build.recipe import ExtractSettings
from waon_build.records import Candidate, Evidence, Reason, normalised
from waon_build.sources.addresses import Attributes, absolute, address, is_read
from waon_build.sources.depth import PAGE_TOO_DEEP, is_too_deep
from waon_build.sources.encoding import decode
from waon_build.sources.figures import IMAGES, LONGEST_TEXT, figure_captions, folded
from waon_build.sources.page_rights import named, said
from waon_build.sources.surroundings import Surroundings, markable

PAGE_TOO_LARGE = Reason(
    "page_too_large",
    stage="extract",
    what="A page of more bytes than this.",
    why="It is generated or hostile, and would take the memory of many.",
    setting="extract.max_page_bytes",
)
PAGE_UNDECODABLE = Reason(
    "page_undecodable",
    stage="extract",
    what="A page whose bytes no encoding reads as text.",
    why="It is binary data under the name of a page.",
)
PAGE_IN_ANOTHER_LANGUAGE = Reason(
    "page_in_another_language",
    stage="extract",
    what="A page that is not in the recipe's language, by its address (`/en/`), its declarations and its text.",
    why="Captions come from the language's own pages; clear text wins over a wrong `lang`, and the address that the "
    "publisher filed a page under wins over both.",
    setting="language",
)
PAGE_REFUSED = Reason(
    "page_refused",
    stage="extract",
    what="A page whose robots meta, X-Robots-Tag, TDM reservation or Content-Usage refuses.",
    why="Its publisher said no. Nothing on it is asked for.",
    source="robots meta and X-Robots-Tag (noai, noimageai, noindex, ...), TDMRep, AIPREF",
)
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

Header = tuple[str, str]


@dataclass(slots=True)
class Page:
    """What one page gave. reason: why it gave nothing, or "". dropped: (reference, reason). beyond: how many
    more references are dropped for TOO_MANY_ON_PAGE than are in `dropped`."""

    reason: Reason | None = None
    candidates: list[Candidate] = field(default_factory=list)
    dropped: list[tuple[Candidate, Reason]] = field(default_factory=list)
    beyond: int = 0


def read_page(
    url: str, headers: Sequence[Header], body: bytes, language: str, settings: ExtractSettings, source: str = ""
) -> Page:
    """The candidates of one page.

    url: of the page, absolute. headers: of its HTTP response. language: the recipe's. source: where the
    page was read, for the candidates' `source`.
    """
    if len(body) > settings.max_page_bytes:
        return Page(PAGE_TOO_LARGE)
    if _filed_under(url) not in ("", language):
        return Page(PAGE_IN_ANOTHER_LANGUAGE)
    text = decode(body, _header(headers, "content-type"))
    if text is None:
        return Page(PAGE_UNDECODABLE)
    if not _could_be_in(language, text):
        return Page(PAGE_IN_ANOTHER_LANGUAGE)
    text, raw = markable(text)
    if is_too_deep(text):
        return Page(PAGE_TOO_DEEP)
    tree = LexborHTMLParser(raw)
    metas = [meta.attributes for meta in tree.tags("meta")]
    evidence = said(url, headers, metas)
    if any(statement.refuses for statement in evidence):
        return Page(PAGE_REFUSED)
    return _Reader(tree, url, language, settings, source, evidence).read(_declared(tree, headers, metas))


class _Reader:
    """One page being read."""

    def __init__(
        self,
        tree: LexborHTMLParser,
        url: str,
        language: str,
        settings: ExtractSettings,
        source: str,
        evidence: list[Evidence],
    ) -> None:
        self.tree, self.url, self.language = tree, url, language
        self.settings, self.source = settings, source
        self.evidence = evidence
        self.page = Page()
        self.base = _base(tree, url)
        self.licence = self.title = ""

    def read(self, declared: list[str]) -> Page:
        titles = self.tree.tags("title")
        self.title = folded(titles[0].text()[:LONGEST_TEXT]) if titles else ""
        images = [image for tag in IMAGES for image in self.tree.tags(tag)]
        licence = absolute(rights.licence_url(_licences(self.tree)), self.base) or ""
        self.licence = licence if licence != self.base else ""
        wanted = images[: self.settings.max_candidates_per_page]
        captions = figure_captions(self.tree, wanted)
        known: dict[int, list[Attributes]] = {}
        references = [(image.attributes, _sources(image, known), captions.get(image.mem_id, "")) for image in wanted]
        around = Surroundings(self.tree, wanted, self.settings.context_characters // 2)
        if languages.page_language(declared, around.beginning(20_000)) != self.language:
            return Page(PAGE_IN_ANOTHER_LANGUAGE)
        seen: set[tuple[str, str]] = set()
        for number, (attributes, sources, caption) in enumerate(references):
            self._reference(attributes, sources, caption, around.of(number), seen)
        beyond = images[len(wanted) :]
        self.page.beyond = max(0, len(beyond) - _SHOWN_BEYOND)
        for image in beyond[:_SHOWN_BEYOND]:
            self._drop(image.attributes.get("src") or "", "", "", "", TOO_MANY_ON_PAGE)
        return self.page

    def _reference(
        self,
        attributes: Attributes,
        sources: list[Attributes],
        figcaption: str,
        context: str,
        seen: set[tuple[str, str]],
    ) -> None:
        written = address(attributes, sources)
        captions = _captions(attributes, figcaption)
        url = absolute(written, self.base) if written else None
        reason = _why_not(written, url, attributes)
        if reason is None and not captions:
            reason = NO_CAPTION
        if reason is not None or url is None:
            source, caption, _ = captions[0] if captions else ("", "", "")
            self._drop(url or written[:200], caption, source, context, reason or NO_ADDRESS)
            return
        for source, caption, compared in captions:
            key = (url, compared)
            if key in seen:
                self._drop(url, caption, source, context, REPEATED_ON_PAGE)
                continue
            seen.add(key)
            self.page.candidates.append(self._candidate(url, caption, source, context))

    def _candidate(self, url: str, caption: str, caption_source: str, context: str) -> Candidate:
        return Candidate(
            url=url,
            caption=caption,
            caption_source=caption_source,
            page_url=self.url,
            page_title=self.title,
            page_language=self.language,
            context=context,
            licence_url=self.licence,
            rights=self.evidence,
            source=self.source,
        )

    def _drop(self, url: str, caption: str, caption_source: str, context: str, reason: Reason) -> None:
        self.page.dropped.append((self._candidate(url, caption, caption_source, context), reason))


_SHOWN_BEYOND = 100
"""References of one page dropped for TOO_MANY_ON_PAGE that are kept to be sampled; the rest are counted."""

# --- the page as a whole

_LICENSOR = re.compile(r"(?:creativecommons|opendatacommons|rightsstatements|artlibre|gnu)\.org|\.go\.jp")
_LICENSED = 'a[rel~="license"], link[rel~="license"]'
_MAYBE_LICENSED = f'{_LICENSED}, a[href*=".org"], a[href*=".go.jp"]'
"""Half as many selectors as licensors: each costs a tenth of parsing the page."""


def _licences(tree: LexborHTMLParser) -> list[tuple[str, str]]:
    """(rel, href) of the links that may declare a licence, in document order."""
    found = []
    for link in tree.css(_MAYBE_LICENSED):
        attributes = link.attributes
        rel, href = attributes.get("rel") or "", attributes.get("href") or ""
        if _LICENSOR.search(href) or "license" in rel.lower():
            found.append((rel, href))
    return found


_FILED = re.compile(r"(en|zh|ko|ja)(?:[-_](?:[A-Za-z]{2}|[Hh]an[st]))?")


def _filed_under(url: str) -> str:
    """The language whose folder a page lies in (`/en/`, `/zh-CN/`; the innermost counts), or "". Only codes
    that mean nothing else: `/it/` and `/no/` are words, `/de/` and `/tt/` are bags and users. Templates
    declare `lang="ja"` on English pages whose text quotes much Japanese; the folder is the publisher's own
    filing. The last piece is the page's name (`/words/ko`), unless it is all there is (`/en`)."""
    _, _, rest = url[:LONGEST_TEXT].partition("#")[0].partition("?")[0].partition("://")
    _, *folders = rest.split("/")
    for folder in reversed(folders[:-1] or folders):
        if found := _FILED.fullmatch(folder):
            return found[1]
    return ""


def _could_be_in(language: str, text: str) -> bool:
    """Whether a page has a letter of the language's own scripts at all: the cheap question that ends
    most pages of a crawl before they are parsed. Character references may hide letters, so they count."""
    return _own_letter(language).search(text) is not None or "&#" in text


@cache
def _own_letter(language: str) -> re.Pattern[str]:
    return re.compile(f"[{languages.get(language).own}]")


def _header(headers: Sequence[Header], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _declared(tree: LexborHTMLParser, headers: Sequence[Header], metas: Sequence[Attributes]) -> list[str]:
    """What the page says its language is, most trusted first."""
    root = tree.root.attributes if tree.root is not None else {}
    said = [root.get("lang") or root.get("xml:lang") or "", _header(headers, "content-language")]
    said += [
        meta.get("content") or "" for meta in metas if (meta.get("http-equiv") or "").lower() == "content-language"
    ]
    said += [content for name, content in named(metas) if name == "language"]
    return [one for one in said if one]


def _base(tree: LexborHTMLParser, url: str) -> str:
    base = tree.css_first("base[href]")
    joined = absolute(base.attributes.get("href") or "", url) if base is not None else None
    return joined if joined and joined.startswith(("http://", "https://")) else url


# --- one image


_MOST_SOURCES = 50


def _sources(image: LexborNode, known: dict[int, list[Attributes]]) -> list[Attributes]:
    """Attributes of the `<source>` elements of an image's `<picture>`. known: those of pictures already read,
    by `mem_id`: a picture may hold a thousand images."""
    parent = image.parent
    if parent is None or parent.tag != "picture":
        return []
    sources = known.get(parent.mem_id)
    if sources is None:
        every = (source.attributes for source in parent.css("source")[:_MOST_SOURCES])
        sources = known[parent.mem_id] = [source for source in every if is_read(source)]
    return sources


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
