"""How pages are written: one figure in each of the ways that real sites write it, and the page around.

Only HTML: which page holds which figure is in `site.toml`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple

LICENCE: Final = "https://creativecommons.org/licenses/by/4.0/deed.ja"
PLACEHOLDER: Final = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
STYLE: Final = """\
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font-family: sans-serif; line-height: 1.8; color: #333;
  background: #faf8f4 }
h1 { border-bottom: 2px solid #b5443a; font-weight: normal }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem }
main { display: flex; flex-wrap: wrap; gap: 1.2rem; align-items: flex-start }
figure { margin: 0; max-width: 28rem }
img { max-width: 28rem; height: auto; border-radius: 4px }
a { color: #8c3a2e }
footer { margin-top: 2rem; font-size: .85rem; color: #777 }
"""


class Shown(NamedTuple):
    """A figure as a page writes it. address: of the picture; small: of a smaller copy; name: of its file.
    alt: what is said beside a figure caption, or ""."""

    address: str
    small: str
    name: str
    caption: str
    alt: str


def figcaption(shown: Shown) -> str:
    image = f'<img src="{shown.address}" alt="{escape(shown.alt)}">'
    return f"<figure>{image}<figcaption>{escape(shown.caption)}</figcaption></figure>"


def alt(shown: Shown) -> str:
    return f'<p><img src="{shown.address}" alt="{escape(shown.caption)}"></p>'


def title(shown: Shown) -> str:
    return f'<p><img src="{shown.address}" title="{escape(shown.caption)}"></p>'


def bare(shown: Shown) -> str:
    return f'<p><img src="{shown.address}"></p>'


def pixel(shown: Shown) -> str:
    return f'<img src="{shown.address}" width="1" height="1" alt="{escape(shown.caption)}">'


def srcset(shown: Shown) -> str:
    sizes = f"{shown.small} 320w, {shown.address} 640w"
    return f'<p><img src="{shown.small}" srcset="{sizes}" sizes="28rem" alt="{escape(shown.caption)}"></p>'


def picture(shown: Shown) -> str:
    source = f'<source media="(min-width: 40rem)" srcset="{shown.address} 640w">'
    return f'<p><picture>{source}<img src="{shown.small}" alt="{escape(shown.caption)}"></picture></p>'


def lazy(shown: Shown) -> str:
    caption = escape(shown.caption)
    image = f'<img class="lazy" src="{PLACEHOLDER}" data-src="{shown.address}" alt="{caption}">'
    return f'<p>{image}<noscript><img src="{shown.address}" alt="{caption}"></noscript></p>'


def relative(shown: Shown) -> str:
    return f'<p><img src="{shown.name}" alt="{escape(shown.caption)}"></p>'


def linked(shown: Shown) -> str:
    return f'<p><a href="{shown.address}"><img src="{shown.address}" alt="{escape(shown.caption)}"></a></p>'


MARKUPS: Final[dict[str, Callable[[Shown], str]]] = {
    way.__name__: way for way in (figcaption, alt, title, bare, pixel, srcset, picture, lazy, relative, linked)
}

ALSO_SEEN: Final = {"lazy": "extract.repeated_on_page"}
"""What becomes of the second reference that a markup makes to the same picture."""
USES_SMALL: Final = frozenset({"srcset", "picture"})
"""Markups that name a smaller copy too."""
CAPTION_SOURCES: Final = {"figcaption": "figcaption", "title": "title"}
"""`caption_source` of a markup's caption; `alt` for all others."""


def page(
    *,
    lang: str,
    charset: str,
    base: str,
    robots: str,
    heading: str,
    lead: str,
    links: Sequence[tuple[str, str]],
    figures: Sequence[str],
    licence: bool,
) -> str:
    """A whole page. charset: to declare in a meta element, or "". base, robots: likewise."""
    head = [
        f'<meta charset="{charset}">' if charset else "",
        f"<title>{escape(heading)}</title>",
        f'<base href="{base}">' if base else "",
        f'<meta name="robots" content="{robots}">' if robots else "",
        '<link rel="stylesheet" href="/style.css">',
    ]
    terms = f'<a rel="license" href="{LICENCE}">CC BY 4.0</a>' if licence else ""
    return "\n".join(
        line
        for line in (
            "<!DOCTYPE html>",
            f'<html lang="{lang}">',
            "<head>",
            *head,
            "</head>",
            "<body>",
            f"<h1>{escape(heading)}</h1>",
            f"<p>{escape(lead)}</p>",
            "<nav>",
            *(f'<a href="{address}">{escape(text)}</a>' for address, text in links),
            "</nav>",
            "<main>",
            *figures,
            "</main>",
            f"<footer>{terms}</footer>",
            "</body>",
            "</html>",
        )
        if line
    )
