"""Why an image is dropped, rule by rule."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.filters import image as rules
from waon_build.filters.image import image_rules, why_dropped
from waon_build.recipe import ImageFilters
from waon_build.records import Image

PHOTO = Image(
    "https://example.com/a.jpg",
    "ok",
    sha256="ab" * 32,
    width=640,
    height=480,
    original_width=1280,
    original_height=960,
    format="jpg",
    original_format="jpeg",
    served_bytes=80_000,
    colours=256,
    deviation=52.0,
    frames=1,
)
DEFAULT = image_rules(ImageFilters())


def test_a_photograph_passes():
    assert why_dropped(PHOTO, DEFAULT) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "refused", "reason": "robots_txt"}, rules.IMAGE_REFUSED),
        ({"status": "failed", "reason": "timeout"}, rules.IMAGE_FAILED),
        ({"status": "something new"}, rules.IMAGE_FAILED),
        ({"original_width": 149, "original_height": 200}, rules.IMAGE_TOO_SMALL),
        ({"original_width": 400, "original_height": 801}, rules.IMAGE_TOO_TALL),
        ({"original_width": 801, "original_height": 400}, rules.IMAGE_TOO_WIDE),
        ({"served_bytes": 999}, rules.IMAGE_TOO_FEW_BYTES),
        ({"frames": 2}, rules.IMAGE_ANIMATED),
        ({"colours": 31}, rules.IMAGE_TOO_FEW_COLOURS),
        ({"deviation": 2.9}, rules.IMAGE_BLANK),
        ({"deviation": math.nan}, rules.IMAGE_BLANK),
        ({"original_width": 0, "original_height": 0}, rules.IMAGE_TOO_SMALL),
    ],
)
def test_an_image_is_dropped_for_its_own_reason(changes: dict[str, object], reason: str):
    assert why_dropped(replace(PHOTO, **changes), DEFAULT) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"original_width": 150, "original_height": 150},
        {"original_width": 400, "original_height": 800},
        {"original_width": 800, "original_height": 400},
        {"served_bytes": 1000, "colours": 32, "deviation": 3.0},
    ],
)
def test_a_threshold_itself_passes(changes: dict[str, object]):
    assert why_dropped(replace(PHOTO, **changes), DEFAULT) is None


def test_sizes_are_those_of_the_image_served_and_not_of_the_stored_one():
    assert why_dropped(replace(PHOTO, width=64, height=48), DEFAULT) is None


def test_an_animated_picture_passes_when_the_recipe_says_so():
    assert why_dropped(replace(PHOTO, frames=12), image_rules(ImageFilters(animated=True))) is None


def test_a_refusal_is_told_before_anything_that_was_not_measured():
    assert why_dropped(Image("https://example.com/b.jpg", "refused"), DEFAULT) == rules.IMAGE_REFUSED


@given(
    st.builds(
        Image,
        url=st.just("u"),
        status=st.sampled_from(["ok", "refused", "failed", ""]),
        original_width=st.integers(0, 10**6),
        original_height=st.integers(0, 10**6),
        served_bytes=st.integers(0, 10**9),
        colours=st.integers(0, 256),
        deviation=st.floats(),
        frames=st.integers(0, 1000),
    ),
    st.builds(ImageFilters),
)
def test_any_image_passes_or_gets_a_reason_of_the_closed_list(image: Image, settings: ImageFilters):
    reason = why_dropped(image, image_rules(settings))
    assert reason in {None, *rules.REASONS}
    assert image.status == "ok" or reason in {rules.IMAGE_REFUSED, rules.IMAGE_FAILED}


def test_every_reason_of_the_stage_is_in_the_closed_list():
    assert {reason.stage for reason in rules.REASONS} == {"image"}
    assert len(set(rules.REASONS)) == len(rules.REASONS) == 9
