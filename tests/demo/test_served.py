"""What becomes of a picture on its way: each treatment gives what its name says, and bytes that stay the same."""

from __future__ import annotations

import warnings
from io import BytesIO

import imagehash
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from waon_build.demo.pictures import picture
from waon_build.demo.served import STALL, TREATMENTS, Answer

PATH = "/img/here.jpg"


def answers(treatment: str, scene: str = "fuji", path: str = PATH) -> list[Answer]:
    return TREATMENTS[treatment](picture(scene), PATH)[path]


def opened(treatment: str, scene: str = "fuji") -> Image.Image:
    return Image.open(BytesIO(answers(treatment, scene)[-1].body))


@pytest.mark.parametrize("treatment", sorted(TREATMENTS))
def test_a_treatment_gives_the_same_bytes_every_time(treatment: str) -> None:
    assert TREATMENTS[treatment](picture("koi"), PATH) == TREATMENTS[treatment](picture("koi"), PATH)


@pytest.mark.parametrize("scene", ["koi", "castle", "fireworks", "deer", "city"])
@pytest.mark.parametrize("copy", ["small", "trimmed", "recompressed", "brightened", "sideways", "cmyk", "png", "webp"])
def test_a_copy_is_near_its_picture_to_a_perceptual_hash(copy: str, scene: str) -> None:
    """Within 8 of 64 bits, where the default radius finds it."""
    upright = ImageOps.exif_transpose(opened(copy, scene)).convert("RGB")
    assert imagehash.phash(upright) - imagehash.phash(picture(scene)) <= 8


@pytest.mark.parametrize("copy", ["trimmed", "recompressed", "brightened"])
def test_a_near_duplicate_is_smaller_and_has_other_bytes(copy: str) -> None:
    assert opened(copy).width < picture("fuji").width
    assert answers(copy)[0].body != answers("plain")[0].body


def test_a_telephone_picture_lies_on_its_side_and_says_where_it_was_taken() -> None:
    image = opened("sideways", "deer")
    exif = image.getexif()
    assert image.size == picture("deer").size[::-1]
    assert exif[0x0112] == 6
    assert exif.get_ifd(0x8825)[2] == (34.0, 41.0, 6.0)
    unturned = imagehash.phash(image.convert("RGB")) - imagehash.phash(picture("deer"))
    assert unturned > 16, "without its EXIF it is another picture"


def test_formats_are_what_they_say() -> None:
    kinds = {"png": "PNG", "webp": "WEBP", "cmyk": "JPEG", "animated": "GIF", "icon": "PNG", "plain": "JPEG"}
    for treatment, kind in kinds.items():
        assert opened(treatment).format == kind
    assert opened("cmyk").mode == "CMYK"
    assert opened("png").mode == "RGBA"
    assert opened("animated").n_frames > 1  # type: ignore[attr-defined]
    assert dict(answers("webp")[0].headers)["Content-Type"] == "image/webp"
    assert dict(answers("mislabelled")[0].headers)["Content-Type"] == "application/octet-stream"


def test_useless_pictures_break_the_rule_they_are_made_for_and_no_other() -> None:
    assert max(opened("icon").size) < 150
    assert opened("banner").width / opened("banner").height > 2
    assert min(opened("banner").size) >= 150
    assert opened("pillar").width / opened("pillar").height < 0.5
    assert min(opened("pillar").size) >= 150
    assert len(opened("one_colour").convert("RGB").getcolors() or ()) == 1
    assert len(answers("one_colour")[0].body) >= 1000
    assert opened("fog").convert("RGB").getcolors(32) is None
    assert len(answers("placeholder")[0].body) < 1000
    assert min(opened("placeholder").size) >= 150


def test_broken_pictures_cannot_be_opened_whole() -> None:
    with pytest.raises(OSError, match="truncated"):
        opened("truncated").load()
    for treatment in ("web_page", "empty"):
        answer = answers(treatment)[0]
        assert (answer.status, answer.headers[0][1]) == (200, "image/jpeg")
        with pytest.raises(UnidentifiedImageError):
            opened(treatment)
    assert answers("empty")[0].body == b""


def test_a_bomb_is_small_and_claims_144_million_pixels() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = opened("bomb")
    assert image.size == (12_000, 12_000)
    assert len(answers("bomb")[0].body) < 100_000


def test_a_moved_picture_redirects_once_and_a_loop_for_ever() -> None:
    moved = TREATMENTS["moved"](picture("fuji"), PATH)
    assert moved[PATH][0].status == 301
    assert moved[dict(moved[PATH][0].headers)["Location"]][0].status == 200
    loop = TREATMENTS["loop"](picture("fuji"), PATH)
    there = dict(loop[PATH][0].headers)["Location"]
    assert dict(loop[there][0].headers)["Location"] == PATH


def test_a_busy_server_says_when_to_come_again_and_then_answers() -> None:
    first, second = answers("busy")
    assert (first.status, dict(first.headers)["Retry-After"]) == (503, "1")
    assert second.status == 200


def test_a_missing_picture_is_missing_and_a_slow_one_late() -> None:
    assert answers("missing")[0].status == 404
    assert answers("slow")[0].delay == STALL


@pytest.mark.parametrize(
    ("treatment", "header", "value"),
    [
        ("noai", "X-Robots-Tag", "max-image-preview:large, noai"),
        ("tdm_reserved", "tdm-reservation", "1"),
        ("no_training", "Content-Usage", "train-ai=n"),
    ],
)
def test_a_forbidden_picture_says_so_in_its_header(treatment: str, header: str, value: str) -> None:
    assert dict(answers(treatment)[0].headers)[header] == value
    assert opened(treatment).format == "JPEG"
