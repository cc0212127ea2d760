"""Why an image is dropped: its measures, against WAON's thresholds.

Each rule is a function from an image to its reason or None; `image_rules()` puts them in order, and
the first reason counts. All they need was measured when the image was fetched: no pixels are read.
"""

from __future__ import annotations

from collections.abc import Callable

from waon_build.recipe import ImageFilters
from waon_build.records import Image, Reason

IMAGE_REFUSED = Reason(
    "image_refused",
    stage="image",
    what="A candidate whose image may not be had: a rights statement refuses.",
    why="A refusal is final. Which statement it was is in the fetch stage's own tally and rows.",
)
IMAGE_FAILED = Reason(
    "image_failed",
    stage="image",
    what="A candidate whose image did not arrive, or is no picture.",
    why="Nothing to look at. Why it failed is in the fetch stage's own tally and rows.",
)
IMAGE_TOO_SMALL = Reason(
    "image_too_small",
    stage="image",
    what="An image whose shorter side, as served, has fewer pixels than this.",
    why="Icons, bullets and thumbnails.",
    setting="filters.image.min_side",
    source="WAON: 150",
)
IMAGE_TOO_TALL = Reason(
    "image_too_tall",
    stage="image",
    what="An image whose width / height, as served, is smaller than this.",
    why="Side banners and whole-page screenshots, of which a square model input shows nothing.",
    setting="filters.image.min_aspect",
    source="WAON: 0.5",
)
IMAGE_TOO_WIDE = Reason(
    "image_too_wide",
    stage="image",
    what="An image whose width / height, as served, is larger than this.",
    why="Banners and rulers.",
    setting="filters.image.max_aspect",
    source="WAON: 2",
)
IMAGE_TOO_FEW_BYTES = Reason(
    "image_too_few_bytes",
    stage="image",
    what="An image of fewer bytes, as served, than this.",
    why="Placeholders and tracking pixels, stretched.",
    setting="filters.image.min_bytes",
    source="waon_build; COYO-700M and LAION drop below 5 KB, which loses small but good WebP",
)
IMAGE_TOO_FEW_COLOURS = Reason(
    "image_too_few_colours",
    stage="image",
    what="An image with fewer distinct colours than this.",
    why="Icons, buttons and plain drawings.",
    setting="filters.image.min_colours",
    source="WAON: 32",
)
IMAGE_BLANK = Reason(
    "image_blank",
    stage="image",
    what="An image whose grey levels differ less than this (standard deviation, 0 to 127.5).",
    why="One colour, or noise on one colour: nothing is shown.",
    setting="filters.image.min_deviation",
)
IMAGE_ANIMATED = Reason(
    "image_animated",
    stage="image",
    what="An image of more than one frame.",
    why="Only its first frame is kept, and the caption may tell of another.",
    setting="filters.image.animated",
)

REASONS = (
    IMAGE_REFUSED,
    IMAGE_FAILED,
    IMAGE_TOO_SMALL,
    IMAGE_TOO_TALL,
    IMAGE_TOO_WIDE,
    IMAGE_TOO_FEW_BYTES,
    IMAGE_TOO_FEW_COLOURS,
    IMAGE_BLANK,
    IMAGE_ANIMATED,
)
"""All that an image rule can answer."""

Rule = Callable[[Image], Reason | None]


def why_dropped(image: Image, rules: tuple[Rule, ...]) -> Reason | None:
    """The first reason that a rule gives, or None when the image passes."""
    return next((reason for rule in rules if (reason := rule(image)) is not None), None)


def image_rules(settings: ImageFilters) -> tuple[Rule, ...]:
    """The rules in the order in which they are asked. Those after `arrived` see images that are here."""
    return (
        arrived,
        side(settings.min_side),
        aspect(settings.min_aspect, settings.max_aspect),
        served_bytes(settings.min_bytes),
        *(() if settings.animated else (still,)),
        colours(settings.min_colours),
        deviation(settings.min_deviation),
    )


def arrived(image: Image) -> Reason | None:
    if image.status == "ok":
        return None
    return IMAGE_REFUSED if image.status == "refused" else IMAGE_FAILED


def side(least: int) -> Rule:
    return lambda image: IMAGE_TOO_SMALL if min(image.original_width, image.original_height) < least else None


def aspect(least: float, most: float) -> Rule:
    def rule(image: Image) -> Reason | None:
        # Multiplied out: a width of nothing is a side rule's business, not a division by zero.
        if image.original_width < least * image.original_height:
            return IMAGE_TOO_TALL
        return IMAGE_TOO_WIDE if image.original_width > most * image.original_height else None

    return rule


def served_bytes(least: int) -> Rule:
    return lambda image: IMAGE_TOO_FEW_BYTES if image.served_bytes < least else None


def still(image: Image) -> Reason | None:
    return IMAGE_ANIMATED if image.frames > 1 else None


def colours(least: int) -> Rule:
    return lambda image: IMAGE_TOO_FEW_COLOURS if image.colours < least else None


def deviation(least: float) -> Rule:
    # Written so that a measure that is not a number does not pass.
    return lambda image: None if image.deviation >= least else IMAGE_BLANK
