"""Figure captions: which image has which, and what it says."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, LexborNode

IMAGES = ("img", "amp-img")
"""The elements that are images of a page."""
LONGEST_TEXT = 4_000
"""Characters of a title or caption that are looked at: every candidate of a page has a copy."""


def folded(text: str) -> str:
    """`text` with white space folded."""
    return " ".join(text.split())


def figure_captions(tree: LexborHTMLParser, images: list[LexborNode]) -> dict[int, str]:
    """The figure caption of each image that has one, by the image's `mem_id`. Of nested figures the
    innermost counts. Each element is walked once, however they are nested."""
    captioned, beside = _captioned(tree)
    if not captioned:
        return {}
    texts: dict[int, str] = {}
    found: dict[int, str] = {}
    left = [_MOST_CAPTION_WORK]
    for image in images:
        path: list[int] = []
        node, text = image.parent, ""
        while node is not None and not text:
            here = node.mem_id
            if here in found:
                text = found[here]
                break
            path.append(here)
            if here in beside:
                break
            if (caption := captioned.get(here)) is not None:
                if here not in texts:
                    texts[here] = _caption_text(caption, left)
                text = texts[here]
            node = node.parent
        for here in path:
            found[here] = text
        found[image.mem_id] = text
    return found


def _captioned(tree: LexborHTMLParser) -> tuple[dict[int, LexborNode], set[int]]:
    """The first caption of each figure that has one, by the figure's `mem_id`; and those captions, by their
    own, that stand beside the figure's image and hold another: an icon, which they do not speak of."""
    captioned: dict[int, LexborNode] = {}
    beside: set[int] = set()
    above: dict[int, int] = {}  # the figure that an element stands in
    for caption in tree.tags("figcaption"):
        node, climbed = caption.parent, []
        while node is not None and node.tag != "figure" and node.mem_id not in above:
            climbed.append(node.mem_id)
            node = node.parent
        if node is not None:
            here = node.mem_id
            figure = above.get(here, here)
            for passed in climbed:
                above[passed] = figure
            if captioned.setdefault(figure, caption) is caption and here == figure:
                inside = len(caption.css(_ANY_IMAGE))
                if inside and len(node.css(_ANY_IMAGE)) > inside:
                    beside.add(caption.mem_id)
    return captioned, beside


_ANY_IMAGE = ", ".join(IMAGES)
_MOST_CAPTION_WORK = 10_000_000
_PARAGRAPHS = frozenset(("p", "div", "br", "li", "dt", "dd", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6"))
"""Elements that part words. Others stand within a word: `東京<b>タワー</b>` has no space."""
_NOT_SAID = frozenset(("rt", "rp", "script", "style", "template", "noscript"))
"""How a word is read, beside the word (`<ruby>`), and what no reader sees."""


def _caption_text(caption: LexborNode, left: list[int]) -> str:
    """The text of a figure caption. left: the work left for the page, since captions may lie in captions."""
    pieces: list[str] = []
    length = 0
    has_unsaid = False
    for node in caption.traverse(include_text=True):
        if length > LONGEST_TEXT or left[0] < 0:
            break
        left[0] -= 10
        tag = node.tag
        if tag == "-text":
            if has_unsaid and node.parent is not None and node.parent.tag in _NOT_SAID:
                continue
            text = node.text(deep=False)
            left[0] -= len(text)
            length += len(text)
            pieces.append(text)
        elif tag in _PARAGRAPHS:
            pieces.append(" ")
        elif tag in _NOT_SAID:
            has_unsaid = True
    return folded("".join(pieces)[:LONGEST_TEXT])
