"""One page -> its candidates: every image with every caption that the page gives it.

Reads the page as a browser without scripts does (lexbor), so that `<noscript>` fallbacks are seen. A
page is first asked whether it may be used and whether it is in the language: most pages are not, and
end before they are parsed. Nothing here reads files or asks the network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from selectolax.lexbor import LexborHTMLParser, LexborNode

from waon_build import languages, rights
from waon_build.recipe import ExtractSettings
from waon_build.records import Evidence, Reason
from waon_build.sources.addresses import Attributes, absolute, address, is_read
from waon_build.sources.declared import (
    PAGE_IN_ANOTHER_LANGUAGE,
    PAGE_REFUSED,
    could_be_in,
    declared_languages,
    header,
    is_filed_elsewhere,
    statements,
)
from waon_build.sources.depth import PAGE_TOO_DEEP, is_too_deep
from waon_build.sources.encoding import decode
from waon_build.sources.figures import IMAGES, LONGEST_TEXT, figure_captions, folded
from waon_build.sources.payload import Header
from waon_build.sources.references import Page, References
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


def read_page(
    url: str, headers: Sequence[Header], body: bytes, language: str, settings: ExtractSettings, source: str = ""
) -> Page:
    """The candidates of one page.

    url: of the page, absolute. headers: of its HTTP response. language: the recipe's. source: where the
    page was read, for the candidates' `source`.
    """
    if len(body) > settings.max_page_bytes:
        return Page(PAGE_TOO_LARGE)
    if is_filed_elsewhere(url, language):
        return Page(PAGE_IN_ANOTHER_LANGUAGE)
    text = decode(body, header(headers, "content-type"))
    if text is None:
        return Page(PAGE_UNDECODABLE)
    if not could_be_in(language, text):
        return Page(PAGE_IN_ANOTHER_LANGUAGE)
    text, raw = markable(text)
    if is_too_deep(text):
        return Page(PAGE_TOO_DEEP)
    tree = LexborHTMLParser(raw)
    metas = [meta.attributes for meta in tree.tags("meta")]
    evidence = statements(url, headers, metas)
    if any(statement.refuses for statement in evidence):
        return Page(PAGE_REFUSED)
    root = tree.root.attributes if tree.root is not None else {}
    declared = declared_languages(root.get("lang") or root.get("xml:lang") or "", headers, metas)
    return _read(tree, url, declared, language, settings, source, evidence)


def _read(
    tree: LexborHTMLParser,
    url: str,
    declared: list[str],
    language: str,
    settings: ExtractSettings,
    source: str,
    evidence: list[Evidence],
) -> Page:
    """The candidates of a page that may be used. The tree is used up."""
    titles = tree.tags("title")
    title = folded(titles[0].text()[:LONGEST_TEXT]) if titles else ""
    images = [image for tag in IMAGES for image in tree.tags(tag)]
    licence = rights.licence_url(_licences(tree))
    references = References(url, _base(tree, url), language, title, licence, evidence, source)
    wanted = images[: settings.max_candidates_per_page]
    captions = figure_captions(tree, wanted)
    known: dict[int, list[Attributes]] = {}
    found = [(image.attributes, _sources(image, known), captions.get(image.mem_id, "")) for image in wanted]
    around = Surroundings(tree, wanted, settings.context_characters // 2)
    if languages.page_language(declared, around.beginning(20_000)) != language:
        return Page(PAGE_IN_ANOTHER_LANGUAGE)
    for number, (attributes, sources, caption) in enumerate(found):
        references.add(address(attributes, sources), attributes, caption, around.of(number))
    beyond = images[len(wanted) :]
    references.beyond((image.attributes.get("src") or "" for image in beyond), len(beyond))
    return references.page


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
