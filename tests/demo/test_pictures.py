"""The pictures: painted alike every time, and all different to a perceptual hash."""

from __future__ import annotations

from itertools import combinations

import imagehash
import numpy as np
import pytest
from PIL import Image

from waon_build import languages
from waon_build.demo.pictures import picture, scenes
from waon_build.filters.text import TextFilter
from waon_build.recipe import TextFilters

CATEGORIES = {"animal", "building", "event", "everyday", "food", "nature", "scenery", "tradition"}


def test_there_are_scenes_of_every_category_of_waon_bench() -> None:
    assert {scene.category for scene in scenes().values()} == CATEGORIES
    assert {scene.culture for scene in scenes().values()} == {"specific", "related", "not"}
    assert len(scenes()) >= 50


def test_every_picture_is_large_and_many_coloured() -> None:
    for name in scenes():
        image = picture(name)
        assert image.mode == "RGB"
        assert image.size == scenes()[name].size
        assert min(image.size) >= 400, name
        assert image.getcolors(4096) is None, name
        assert np.asarray(image.convert("L")).std() > 15, name


@pytest.mark.parametrize("name", ["firefly", "tower", "matcha", "cloud_sea"])
def test_a_scene_is_painted_alike_every_time(name: str) -> None:
    again = picture.__wrapped__(name)
    assert again is not picture(name)
    assert again.tobytes() == picture(name).tobytes()


def test_no_two_scenes_are_alike_to_a_perceptual_hash() -> None:
    """More than 20 of 64 bits apart: no radius that a recipe allows joins two of them."""
    hashes = {name: imagehash.phash(picture(name)) for name in scenes()}
    near = {(a, b): hashes[a] - hashes[b] for a, b in combinations(hashes, 2) if hashes[a] - hashes[b] <= 20}
    assert not near


def test_a_mirrored_scene_is_the_other_way_round() -> None:
    scene = scenes()["lighthouse"]
    assert scene.mirrored
    assert not scenes()["koi"].mirrored
    red = np.asarray(picture("lighthouse").convert("RGB")).astype(int)
    left, right = (half[..., 0] - half[..., 2] for half in np.split(red[: red.shape[0] // 3], 2, axis=1))
    assert (right > 60).sum() > 100 > (left > 60).sum(), "the red lantern room is on the right"


def test_every_caption_is_japanese_that_the_text_filter_keeps() -> None:
    why_dropped = TextFilter(TextFilters(), languages.get("ja"))
    captions = [caption for scene in scenes().values() for caption in scene.captions]
    assert len(set(captions)) == len(captions)
    for caption in captions:
        assert why_dropped(caption, "ja") is None, caption


def test_pictures_hold_no_more_than_pixels() -> None:
    assert all(not picture(name).info for name in scenes())
    assert isinstance(picture("koi"), Image.Image)
