"""The sample site: its pages and pictures as a server answers them, from `site.toml`.

It holds what real sites hold, good and bad. All its addresses follow the origins it is built for; with
those, it is the same in every run. What should become of each thing on it is in `truth.py`.
"""

from __future__ import annotations

import json
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

from waon_build.demo import markup
from waon_build.demo.markup import MARKUPS, STYLE, USES_SMALL, Shown
from waon_build.demo.pictures import picture, scenes
from waon_build.demo.served import TREATMENTS, Answer, Answers, Headers

DISALLOWED: Final = ("/himitsu/", "/img/himitsu/")
"""What robots.txt keeps robots from."""
RESERVED: Final = "/img/reserved/"
"""What tdmrep.json keeps from text and data mining."""
REFUSED: Final = "/img/refused/"
"""Where the pictures lie of pages that refuse."""

_CHARSETS: Final = {"utf-8": "UTF-8", "shift_jis": "Shift_JIS", "euc_jp": "EUC-JP"}


class Figure(NamedTuple):
    """A picture with its caption on a page. See `site.toml` for the fields."""

    scene: str
    treatment: str
    path: str
    caption: str
    alt: str
    markup: str
    fate: str
    answers: tuple[int, ...]

    @property
    def is_slow(self) -> bool:
        """Whether its picture lies on the slow host."""
        return self.treatment == "slow"


class Page(NamedTuple):
    """A page. See `site.toml` for the fields."""

    path: str
    title: str
    lead: str
    lang: str
    charset: str
    declared: str
    base: str
    robots: str
    headers: Headers
    licence: bool
    links: tuple[tuple[str, str], ...]
    listed: bool
    missing: bool
    moved_to: str
    fate: str
    figures: tuple[Figure, ...]


@cache
def pages() -> tuple[Page, ...]:
    """All pages, in the order of `site.toml`."""
    text = resources.files("waon_build.demo").joinpath("site.toml").read_text(encoding="utf-8")
    return tuple(_page(entry) for entry in tomllib.loads(text)["page"])


class Site:
    """The site at two origins: `url`, and `slow_url`, whose pictures take longer than anybody waits."""

    def __init__(self, url: str, slow_url: str) -> None:
        self.url, self.slow_url = url, slow_url
        self.answers: Answers = {
            "/robots.txt": [_text(self._robots_txt())],
            "/.well-known/tdmrep.json": [Answer(_tdmrep(), (("Content-Type", "application/json"),))],
            "/sitemap.xml": [Answer(self._sitemap(), (("Content-Type", "application/xml"),))],
            "/style.css": [Answer(STYLE.encode(), (("Content-Type", "text/css"),))],
        }
        self.slow_answers: Answers = {"/robots.txt": [_text("User-agent: *\nAllow: /\n")]}
        with ThreadPoolExecutor() as threads:
            list(threads.map(picture, {figure.scene for page in pages() for figure in page.figures}))
        for page in pages():
            self.answers[page.path] = [self._answer(page)]
            for figure in page.figures:
                self._picture(figure)

    def forbids(self, path: str) -> bool:
        """Whether a robot that obeys what the site says never asks for `path`."""
        return path.startswith((*DISALLOWED, RESERVED, REFUSED))

    def _answer(self, page: Page) -> Answer:
        if page.missing:
            return Answer("ページが見つかりません".encode(), (("Content-Type", "text/html; charset=UTF-8"),), 404)
        if page.moved_to:
            return Answer(b"", (("Location", page.moved_to),), 301)
        charset = _CHARSETS[page.charset]
        html = markup.page(
            lang=page.lang,
            charset=charset if page.declared == "meta" else "",
            base=page.base,
            robots=page.robots,
            heading=page.title,
            lead=page.lead,
            links=page.links or (("/", "トップへもどる" if page.lang == "ja" else "Top"),),
            figures=[MARKUPS[figure.markup](self._shown(figure)) for figure in page.figures],
            licence=page.licence,
        )
        kind = f"text/html; charset={charset}" if page.declared == "header" else "text/html"
        return Answer(html.encode(page.charset, "xmlcharrefreplace"), (("Content-Type", kind), *page.headers))

    def _shown(self, figure: Figure) -> Shown:
        address = f"{self.slow_url}{figure.path}" if figure.is_slow else figure.path
        return Shown(address, _small(figure), figure.path.rsplit("/", 1)[-1], figure.caption, figure.alt)

    def _picture(self, figure: Figure) -> None:
        answers = self.slow_answers if figure.is_slow else self.answers
        if figure.path not in answers:
            answers.update(TREATMENTS[figure.treatment](picture(figure.scene), figure.path))
        if figure.markup in USES_SMALL and _small(figure) not in answers:
            answers.update(TREATMENTS["small"](picture(figure.scene), _small(figure)))

    def _robots_txt(self) -> str:
        lines = [
            "User-agent: *",
            *(f"Disallow: {path}" for path in DISALLOWED),
            "",
            "User-agent: GPTBot",
            "Disallow: /",
        ]
        return "\n".join([*lines, "", f"Sitemap: {self.url}/sitemap.xml", ""])

    def _sitemap(self) -> bytes:
        listed = "".join(f"<url><loc>{self.url}{page.path}</loc></url>\n" for page in pages() if page.listed)
        start = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        return f"{start}<url><loc>{self.url}/</loc></url>\n{listed}</urlset>\n".encode()


def _page(entry: dict[str, Any]) -> Page:
    default = entry.get("markup", "alt")
    return Page(
        path=entry["path"],
        title=entry.get("title", ""),
        lead=entry.get("lead", ""),
        lang=entry.get("lang", "ja"),
        charset=entry.get("charset", "utf-8"),
        declared=entry.get("declared", "meta"),
        base=entry.get("base", ""),
        robots=entry.get("robots", ""),
        headers=tuple((name, value) for name, value in entry.get("headers", [])),
        licence=entry.get("licence", False),
        links=tuple((address, text) for address, text in entry.get("links", [])),
        listed=entry.get("listed", False),
        missing=entry.get("missing", False),
        moved_to=entry.get("moved_to", ""),
        fate=entry.get("fate", ""),
        figures=tuple(_figure(figure, default) for figure in entry.get("figures", [])),
    )


def _figure(entry: dict[str, Any], markup: str) -> Figure:
    scene, treatment = entry["scene"], entry.get("treatment", "plain")
    fate = entry.get("fate", "queued")
    return Figure(
        scene=scene,
        treatment=treatment,
        path=entry.get("path", f"/img/{treatment}/{scene}.jpg"),
        caption=entry.get("caption", scenes()[scene].captions[0]),
        alt=entry.get("alt", ""),
        markup=entry.get("markup", markup),
        fate=fate,
        answers=tuple(entry.get("answers", _fit(fate))),
    )


def _fit(fate: str) -> tuple[int, ...]:
    """How well a caption fits, as everybody sees it, unless its figure says otherwise."""
    if fate.startswith("text."):
        return (0, 0, 0)
    return (1, 1, 1) if fate.startswith("plan.caption_repeated") else (3, 3, 3)


def _small(figure: Figure) -> str:
    return f"/img/small/{figure.scene}.jpg"


def _tdmrep() -> bytes:
    return json.dumps([{"location": f"{RESERVED}*", "tdm-reservation": 1}]).encode()


def _text(text: str) -> Answer:
    return Answer(text.encode(), (("Content-Type", "text/plain; charset=UTF-8"),))
