"""Would parsing this page take for ever? Asked before a page is parsed, of its text alone.

A parser of HTML has work that grows with the square of how deep elements nest, how many formatting
elements are open, and how many attributes one has. Pages of authors have few of each.
"""

from __future__ import annotations

import re
from collections import Counter

from waon_build.records import Reason

PAGE_TOO_DEEP = Reason(
    "page_too_deep",
    stage="extract",
    what="A page with elements nested thousands deep, hundreds of them left open, or thousands of attributes on one.",
    why="No author writes it, and it takes a parser minutes: the time grows with the square of each.",
)

_DEEPEST = 5_000
_FORMATTING = frozenset(
    ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
)  # fmt: skip
_MOST_OPEN = 500
"""Formatting elements open at once: a parser opens them all again in every paragraph."""
_ENDLESS = frozenset((
    "img", "br", "input", "hr", "meta", "link", "source", "wbr", "area", "base", "col", "param",
    "p", "li", "td", "th", "tr", "dt", "dd", "option", "tbody", "thead", "tfoot", "caption", "colgroup",
    "html", "head", "body",
))  # fmt: skip
"""Elements that hold nothing, end by themselves when the next one begins, or are taken once."""
_WALLS = frozenset((
    "table", "template", "object", "applet", "marquee", "select", "script", "svg", "math", "foreignobject", "desc",
))  # fmt: skip
"""Elements out of which a closing tag of another name does not reach."""
_BLOCKS = _WALLS - {"svg", "math", "foreignobject", "desc"} | frozenset((
    "address", "article", "aside", "blockquote", "button", "center", "details", "dir", "div", "dl", "fieldset",
    "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "listing",
    "main", "menu", "nav", "noscript", "ol", "pre", "search", "section", "summary", "ul",
))  # fmt: skip
"""Elements that only a block's closing tag closes when they are left open within it."""
_RAW = r"(script|style|textarea|title|xmp|iframe|noembed|noframes)(?=[ \t\n\r\f/>])"
_ATTRIBUTES = (
    r"(?:[ \t\n\r\f/]++|[^ \t\n\r\f/>][^ \t\n\r\f/>=]*+"
    r"""(?:[ \t\n\r\f]*+=[ \t\n\r\f]*+(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\r\f>]*+))?+)*+(?:>|\Z)"""
)
_TOKEN = re.compile(
    rf"<!--(?:-?>|.*?(?:--!?>|\Z))|<{_RAW}{_ATTRIBUTES}(.*?)(?:</\1(?=[ \t\n\r\f/>])|\Z)"
    rf"|<(/?)([a-z][^ \t\n\r\f/>]*+){_ATTRIBUTES}|<[!?/][^>]*+",
    re.IGNORECASE | re.DOTALL,
)
"""A comment, an element of raw text with its text, or a tag. Each reads on to the end when it has none."""
_LONG_TAG = re.compile(r"<[a-zA-Z][^<>]{20000,}")
_MOST_ATTRIBUTES = 2_000
_MOST_STEPS = 2_000_000


def is_too_deep(text: str) -> bool:
    """Whether parsing a page would take time that grows with its square: whether so many elements are open
    at once. A closing tag counts only where a parser would heed it. Pages of ordinary length are not looked at."""
    if len(text) < 3_000:
        return False
    if len(text) > 20_000 and any(len(tag[0].split()) > _MOST_ATTRIBUTES for tag in _LONG_TAG.finditer(text)):
        return True
    if text.count("=") > 10_000 and any(token[0].count("=") > 2 * _MOST_ATTRIBUTES for token in _TOKEN.finditer(text)):
        return True
    if text.count("<") < 3_000:
        return False
    opened: list[str] = []
    inside: Counter[str] = Counter()
    formatting: Counter[str] = Counter()
    most: Counter[str] = Counter()
    steps = 0
    for token in _TOKEN.finditer(text):
        raw, content, closing, name = token.groups()
        if raw is not None:
            # After `<!--<script` the next `</script` does not end a script.
            if "<!--" in content and content.rfind("<!--") > content.rfind("-->"):
                opened.append("script")
                inside["script"] += 1
            continue
        if name is None or (name := name.lower()) in _ENDLESS:
            continue
        if not closing:
            opened.append(name)
            inside[name] += 1
            if name in _FORMATTING:
                formatting[name] += 1
                most[name] = max(most[name], formatting[name])
            if len(opened) > _DEEPEST:
                return True
            continue
        at = len(opened) - 1
        if inside[name]:
            reaches = name in _BLOCKS and name != "form"
            while opened[at] != name and opened[at] not in _WALLS and (reaches or opened[at] not in _BLOCKS):
                at -= 1
            steps += len(opened) - at
            if steps > _MOST_STEPS:
                return True
            if opened[at] == name:
                inside.subtract(opened[at:])
                del opened[at:]
            elif opened[at] in _WALLS:
                continue
        if formatting[name]:
            formatting[name] -= 1
    return most.total() > _MOST_OPEN
