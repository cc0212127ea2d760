"""What should become of everything on the sample site: the funnel that a right pipeline ends in.

Written down in `site.toml` beside each thing, by hand; nothing here looks at what the pipeline does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from waon_build.demo.markup import ALSO_SEEN, CAPTION_SOURCES
from waon_build.demo.pictures import Scene, scenes
from waon_build.demo.site import Figure, pages
from waon_build.records import Counts

_SAME_PICTURE: Final = ("dedup", "same_image")
"""What becomes of the shorter one of two captions of one picture."""


class Expected(NamedTuple):
    """One image reference on a page that is read. stage, reason: where and why it leaves; "queued", "" when
    it reaches the annotators. Of stage `fetch`, the image's own row has the reason, and its candidates leave at
    stage `image`. answers: how well the caption fits, 0 to 3, as each sample annotator sees it."""

    page: str
    url: str
    caption: str
    caption_source: str
    stage: str
    reason: str
    scene: Scene
    answers: tuple[int, ...]


def expectations(url: str = "", slow_url: str = "") -> list[Expected]:
    """Every image reference of every page that is read, in the site's order. url, slow_url: the origins where
    the site is served."""
    return [
        expected
        for page in pages()
        if not page.fate
        for figure in page.figures
        for expected in _of(figure, f"{url}{page.path}", (slow_url if figure.is_slow else url) + figure.path)
    ]


def funnel() -> dict[str, Counts]:
    """The counts of each stage up to `dedup`: of addresses asked for `crawl`, of distinct images for `fetch`, of image
    references and candidates for all others."""
    stages: dict[str, Counts] = {}
    stages["crawl"] = _counts(len(pages()), [_reason(page.fate, "crawl") for page in pages()])
    rows = expectations()
    for stage in ("extract", "text", "plan"):
        stages[stage] = _counts(len(rows), [row.reason if row.stage == stage else "" for row in rows])
        rows = [row for row in rows if row.stage != stage]
    images = {row.url: row.reason if row.stage == "fetch" else "" for row in rows}
    stages["fetch"] = _counts(len(images), list(images.values()))
    stages["image"] = _counts(len(rows), [_image_reason(row) for row in rows])
    rows = [row for row in rows if row.stage in ("dedup", "queued")]
    stages["dedup"] = _counts(len(rows), [row.reason for row in rows])
    return stages


def pages_refused() -> Counter[str]:
    """Why crawled pages give no candidates: the `page` unit of the extract stage."""
    return Counter(filter(None, (_reason(page.fate, "extract") for page in pages())))


def _of(figure: Figure, page: str, url: str) -> Iterator[Expected]:
    source = CAPTION_SOURCES.get(figure.markup, "alt") if figure.caption else ""
    for fate in filter(None, (figure.fate, ALSO_SEEN.get(figure.markup))):
        stage, _, reason = fate.partition(".")
        yield Expected(page, url, figure.caption, source, stage, reason, scenes()[figure.scene], figure.answers)
    if figure.alt:
        yield Expected(page, url, figure.alt, "alt", *_SAME_PICTURE, scenes()[figure.scene], figure.answers)


def _counts(read: int, reasons: list[str]) -> Counts:
    dropped = Counter(filter(None, reasons))
    return Counts(read, read - dropped.total(), dropped)


def _reason(fate: str, stage: str) -> str:
    return fate.partition(".")[2] if fate.startswith(f"{stage}.") else ""


def _image_reason(row: Expected) -> str:
    if row.stage == "fetch":
        return "image_refused" if row.reason.startswith("refused") else "image_failed"
    return row.reason if row.stage == "image" else ""
