"""Whatever the bytes are, they end as a correct image without metadata, or as a reason."""

from __future__ import annotations

import hashlib
import json
import pickle
import random
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, ImageOps

from waon_build.fetch.decode import Stored, decode
from waon_build.recipe import FetchSettings
from waon_build.records import Reason

SETTINGS = FetchSettings()
REASONS = {"not_an_image", "format_not_taken", "image_broken", "image_bomb", "too_many_pixels"}


def photo(width: int = 900, height: int = 700, seed: int = 1) -> Image.Image:
    """Something with the statistics of a photograph: smooth large shapes, a little noise."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (9, 11, 3), dtype=np.uint8)).resize((width, height), 3)
    noisy = np.asarray(coarse, np.int16) + rng.integers(-6, 7, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def stored(data: bytes, **changes: object) -> Stored:
    found = decode(data, FetchSettings(**changes))
    assert isinstance(found, Stored), found
    return found


def opened(found: Stored) -> Image.Image:
    return Image.open(BytesIO(found.data))


def difference(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute difference of two pictures of one size, in levels of 255."""
    assert a.size == b.size
    return float(np.abs(np.asarray(a.convert("RGB"), np.int16) - np.asarray(b.convert("RGB"), np.int16)).mean())


MODES = {
    "RGB jpeg": (lambda: photo(), "JPEG"),
    "L jpeg": (lambda: photo().convert("L"), "JPEG"),
    "CMYK jpeg": (lambda: photo().convert("CMYK"), "JPEG"),
    "progressive jpeg": (lambda: photo(), "JPEG"),
    "RGB png": (lambda: photo(), "PNG"),
    "RGBA png": (lambda: photo().convert("RGBA"), "PNG"),
    "LA png": (lambda: photo().convert("LA"), "PNG"),
    "P png": (lambda: photo().quantize(64), "PNG"),
    "1 png": (lambda: photo().convert("1"), "PNG"),
    "I;16 png": (lambda: Image.fromarray(np.asarray(photo().convert("L"), np.uint16) * 257), "PNG"),
    "P gif": (lambda: photo().quantize(64), "GIF"),
    "RGB webp": (lambda: photo(), "WEBP"),
    "RGBA webp": (lambda: photo().convert("RGBA"), "WEBP"),
    "RGB avif": (lambda: photo(), "AVIF"),
    "RGB bmp": (lambda: photo(), "BMP"),
}


@pytest.mark.parametrize("form", ["jpg", "webp", "png"])
@pytest.mark.parametrize("mode", MODES)
def test_both_hashes_are_those_of_imagehash_over_the_stored_bytes(mode: str, form: str) -> None:
    """Bit for bit: anyone can check them with `imagehash.phash(Image.open(file))`."""
    make, kind = MODES[mode]
    options = {"progressive": True} if mode == "progressive jpeg" else {}
    found = stored(encoded(make(), kind, **options), format=form, shortest_side=300)
    assert found.phash == str(imagehash.phash(opened(found)))
    assert found.phash256 == str(imagehash.phash(opened(found), hash_size=16))
    assert (len(found.phash), len(found.phash256)) == (16, 64)


@pytest.mark.parametrize("mode", MODES)
def test_the_stored_picture_looks_like_the_one_served(mode: str) -> None:
    make, kind = MODES[mode]
    original = make()
    found = stored(encoded(original, kind), format="png", shortest_side=175)
    eight_bit = photo().convert("L") if mode.startswith("I;16") else original
    expected = eight_bit.convert("RGB").resize((225, 175), Image.Resampling.LANCZOS)
    assert opened(found).size == (225, 175)
    assert difference(opened(found), expected) < (12 if mode == "1 png" else 4)


def test_the_record_holds_what_was_served_and_what_is_kept() -> None:
    data = encoded(photo(900, 700), "JPEG")
    found = stored(data, shortest_side=350)
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert (found.width, found.height, found.original_width, found.original_height) == (450, 350, 900, 700)
    assert (found.format, found.original_format, found.frames) == ("jpg", "jpeg", 1)


def test_a_small_picture_is_never_enlarged() -> None:
    found = stored(encoded(photo(90, 70), "PNG"))
    assert (found.width, found.height) == (90, 70)


def test_the_same_bytes_give_the_same_bytes() -> None:
    data = encoded(photo(), "PNG")
    for form in ("jpg", "webp", "png"):
        assert stored(data, format=form) == stored(data, format=form)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says_and_the_exif_is_gone(orientation: int) -> None:
    image = photo(600, 400)
    exif = image.getexif()
    exif[0x0112] = orientation
    exif[0x010F] = "secret camera"
    exif.get_ifd(0x8825)[1] = "N"
    data = encoded(image, "JPEG", exif=exif, quality=95)
    found = stored(data, shortest_side=200, format="png")
    upright = ImageOps.exif_transpose(Image.open(BytesIO(data))).resize((found.width, found.height), 1)
    assert (found.original_width, found.original_height) == ImageOps.exif_transpose(Image.open(BytesIO(data))).size
    assert difference(opened(found), upright) < 3
    assert not opened(found).getexif()
    assert b"secret" not in found.data


@pytest.mark.parametrize("form", ["jpg", "webp", "png"])
def test_no_metadata_of_any_kind_is_stored(form: str) -> None:
    image = photo(300, 200)
    exif = image.getexif()
    exif[0x010E] = "secret place"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options = {"exif": exif, "icc_profile": profile, "xmp": b"<x>secret</x>"}
    for kind, more in {"JPEG": {"comment": "secret"}, "WEBP": {}, "PNG": {}, "AVIF": {}}.items():
        found = stored(encoded(image, kind, **options, **more), format=form)
        assert b"secret" not in found.data
        assert not {"exif", "xmp", "icc_profile", "comment", "XML:com.adobe.xmp"} & opened(found).info.keys()


def test_transparency_is_flattened_on_white() -> None:
    image = Image.new("RGBA", (60, 60), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 30, 60))
    found = opened(stored(encoded(image, "PNG"), format="png"))
    assert found.mode == "RGB"
    assert found.getpixel((50, 30)) == (255, 255, 255)
    assert found.getpixel((10, 30)) == (0, 0, 255)


def test_what_hides_under_transparency_does_not_bleed_when_the_picture_is_made_smaller() -> None:
    image = Image.new("RGBA", (3000, 3000), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 1500, 3000))
    for side in (64, 900):
        small = np.asarray(opened(stored(encoded(image, "PNG", compress_level=1), format="png", shortest_side=side)))
        edge = small[small[..., 1] > 0]
        assert np.all(edge[:, 0] == edge[:, 1]), "between blue and white, red and green are the same"


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_of_a_png_is_white_too(mode: str) -> None:
    image = Image.new(mode, (40, 40), 0 if mode != "RGB" else (9, 8, 7))
    found = stored(encoded(image, "PNG", transparency=0 if mode != "RGB" else (9, 8, 7)), format="png")
    assert opened(found).convert("RGB").getpixel((20, 20)) == (255, 255, 255)


def test_a_picture_in_another_colour_space_is_kept_in_srgb() -> None:
    """A profile whose red is sRGB's blue, and the other way round: converted, the two change places."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"_XYZ").replace(b"bXYZ", b"rXYZ").replace(b"_XYZ", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "sBGR".encode("utf-16-be"))
    image = Image.new("RGB", (64, 64), (120, 60, 30))
    for kind, options in {"PNG": {}, "WEBP": {"lossless": True}}.items():
        plain = opened(stored(encoded(image, kind, icc_profile=profile, **options), format="png"))
        turned = opened(stored(encoded(image, kind, icc_profile=swapped, **options), format="png"))
        assert plain.getpixel((30, 30)) == (120, 60, 30)
        assert difference(turned, Image.new("RGB", (64, 64), (30, 60, 120))) < 2


@pytest.mark.parametrize("profile", [b"", b"rubbish", b"\0" * 4000, b"x" * 3_000_000])
def test_a_profile_that_cannot_be_read_is_as_good_as_none(profile: bytes) -> None:
    image = photo(200, 150)
    plain = stored(encoded(image, "JPEG"))
    assert stored(encoded(image, "JPEG", icc_profile=profile)).data == plain.data


def test_sixteen_bits_of_grey_are_scaled_not_cut_off() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(1, 256).repeat(64, axis=0)
    found = np.asarray(opened(stored(encoded(Image.fromarray(ramp), "PNG"), format="png")))
    assert np.abs(found[0].astype(int) - np.arange(256)).max() <= 1


def test_an_animation_keeps_its_first_frame_and_says_how_many_there_were() -> None:
    frames = [Image.new("RGB", (80, 60), colour) for colour in ("red", "green", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        found = stored(encoded(frames[0], kind, save_all=True, append_images=frames[1:]), format="png")
        assert found.frames == 3
        assert difference(opened(found), frames[0]) < 3


def test_colours_are_counted_up_to_256_in_the_picture_served() -> None:
    """A drawing of four colours has a thousand once it is scaled and stored as JPEG."""
    flat = Image.new("RGB", (100, 100), "white")
    for index in range(31):
        flat.paste((index * 8, 0, 0), (index * 3, 0, index * 3 + 3, 100))
    assert stored(encoded(flat, "PNG"), format="png").colours == 32
    assert stored(encoded(photo(), "PNG"), format="png").colours == 256
    assert stored(encoded(Image.new("L", (50, 50), 7), "PNG")).colours == 1
    drawing = Image.new("RGB", (900, 700), "white")
    for number, colour in enumerate(("red", "blue", "black")):
        ImageDraw.Draw(drawing).ellipse((number * 200, 100, number * 200 + 250, 500), fill=colour)
    for mode in ("RGB", "P", "RGBA"):
        assert stored(encoded(drawing.convert(mode), "PNG"), format="jpg").colours == 4, mode


def test_deviation_is_that_of_the_grey_levels() -> None:
    found = stored(encoded(photo(), "JPEG"))
    assert found.deviation == pytest.approx(np.asarray(opened(found).convert("L"), float).std(), abs=1e-9)
    assert stored(encoded(Image.new("RGB", (64, 64), "navy"), "PNG")).deviation == 0
    half = Image.new("L", (64, 64))
    half.paste(255, (0, 0, 32, 64))
    assert stored(encoded(half, "PNG"), format="png").deviation == 127.5


def test_a_picture_of_one_pixel_and_a_very_long_one_are_pictures() -> None:
    assert stored(encoded(Image.new("RGB", (1, 1)), "PNG")).width == 1
    for form in ("jpg", "webp", "png"):
        found = stored(encoded(Image.new("RGB", (60_000, 4)), "PNG"), format=form)
        assert (found.width, found.height) == (16_000, 1)
        assert opened(found).size == (16_000, 1)


def test_a_header_that_claims_gigapixels_is_believed_before_its_body_is() -> None:
    data = bytearray(encoded(photo(64, 64), "PNG"))
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    assert decode(bytes(data), SETTINGS) == "too_many_pixels"


def test_the_limit_of_pixels_is_the_recipe_s() -> None:
    data = encoded(photo(300, 200), "JPEG")
    assert decode(data, FetchSettings(max_pixels=59_999)) == "too_many_pixels"
    assert isinstance(decode(data, FetchSettings(max_pixels=60_000)), Stored)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP"])
def test_half_a_picture_is_broken(kind: str) -> None:
    data = encoded(photo(300, 200), kind)
    assert decode(data[: len(data) // 2], SETTINGS) == "image_broken"


def test_a_picture_under_a_wrong_name_is_a_picture() -> None:
    """Neither the URL nor the Content-Type is asked."""
    assert stored(encoded(photo(64, 64), "WEBP")).original_format == "webp"


def test_an_answer_travels_between_processes() -> None:
    found = decode(encoded(photo(64, 64), "PNG"), SETTINGS)
    assert pickle.loads(pickle.dumps(found)) == found
    assert pickle.loads(pickle.dumps(decode(b"", SETTINGS))) == "not_an_image"


SEEDS = {kind: encoded(photo(80, 60), kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP")}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(SEEDS)), st.integers(0, 2**32))
def test_a_damaged_file_is_an_image_or_a_reason_never_an_exception(kind: str, seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(SEEDS[kind])
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[place] = rng.randrange(256)
            case 1:
                data[place : place + rng.randrange(40)] = rng.randbytes(rng.randrange(40))
            case 2:
                del data[place:]
            case 3:
                data[place:place] = data[: rng.randrange(len(data))]
        if not data:
            break
    found = decode(bytes(data), FetchSettings(max_pixels=4_000_000))
    assert isinstance(found, Stored) or found in REASONS


def test_every_reason_says_what_and_why() -> None:
    for word in REASONS:
        assert Reason.all[f"fetch.{word}"].what
        assert Reason.all[f"fetch.{word}"].why


WATCH = """
import json, resource, sys, time
from pathlib import Path
from waon_build.fetch.decode import Stored, decode
from waon_build.recipe import FetchSettings
settings = FetchSettings()
decode(Path(sys.argv[1]).read_bytes(), settings)  # what the libraries cost once
answers = {}
for name in sys.argv[1:]:
    data = Path(name).read_bytes()
    began = time.process_time()
    found = decode(data, settings)
    answers[name] = [list(found[1:]) if isinstance(found, Stored) else str(found), time.process_time() - began]
status = Path("/proc/self/status")  # ru_maxrss begins with the peak of whoever started this process
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
if status.exists():
    peak = int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))) * 1024
print(json.dumps([answers, peak]))
"""


def watched(files: list[Path]) -> tuple[dict[str, tuple[object, float]], int]:
    """What each file gave and the seconds of processor it took, and the peak memory, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", WATCH, *map(str, files)], capture_output=True, text=True, check=True, timeout=300
    )
    answers, peak = json.loads(run.stdout)
    return answers, peak


@pytest.mark.slow
def test_every_malformed_file_is_an_image_or_a_reason_within_two_seconds_and_a_gigabyte(shared_data: Path) -> None:
    folder = shared_data / "malformed"
    observed = {row["file"]: row for row in json.loads((folder / "observed.json").read_text())["files"]}
    answers, peak = watched([folder / name for name in observed])
    assert len(answers) == len(observed) >= 368
    assert peak < 1 << 30
    taken = {"JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "BMP"}
    for name, row in observed.items():
        answer, seconds = answers[str(folder / name)]
        assert seconds < 2, name
        assert isinstance(answer, list) or answer in REASONS, name
        if isinstance(answer, list):
            assert row["loads"], f"{name}: what Pillow cannot read is not stored"
            sides = (row["width"], row["height"])
            assert answer[5:7] == list(sides if (row.get("orientation") or 1) < 5 else sides[::-1]), name
        elif row.get("format") in taken and row["loads"]:
            # Its data stream ends in rubbish; whether Pillow minds depends on how it is read.
            assert name == "pillow/broken_data_stream.png", f"{name}: Pillow reads it, we say {answer}"


def large(kind: str, mode: str, size: tuple[int, int], colour: object, **options: object) -> bytes:
    return encoded(Image.new(mode, size, colour), kind, **options)


BOMBS = {
    "png rgba": lambda: large("PNG", "RGBA", (10_000, 10_000), (1, 2, 3, 100), compress_level=1),
    "png palette": lambda: large("PNG", "P", (10_000, 10_000), 3, compress_level=1, transparency=b"\x10\x20\x30\x40"),
    "png 16 bit": lambda: large("PNG", "I;16", (10_000, 10_000), 3000, compress_level=1),
    "png ribbon": lambda: large("PNG", "RGBA", (65_000, 1500), (1, 2, 3, 100), compress_level=1),
    "jpeg": lambda: large("JPEG", "RGB", (10_000, 10_000), "red", subsampling=0),
    "jpeg ribbon": lambda: large("JPEG", "CMYK", (65_000, 1500), (1, 2, 3, 4)),
    "jpeg progressive": lambda: large("JPEG", "RGB", (8000, 8000), "red", progressive=True, subsampling=0),
    "webp": lambda: large("WEBP", "RGBA", (5200, 5200), (1, 2, 3, 100), lossless=True, method=0),
    "avif": lambda: large("AVIF", "RGB", (5200, 5200), "red", speed=10),
    "gif": lambda: large("GIF", "P", (10_000, 10_000), 3),
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS)
def test_the_largest_picture_that_is_decoded_takes_two_seconds_and_a_gigabyte_at_most(
    bomb: str, tmp_path: Path
) -> None:
    """Measured in processor time: 0.1 to 1.6 s. The bound here leaves room for a slow machine."""
    file = tmp_path / "bomb"
    file.write_bytes(BOMBS[bomb]())
    answers, peak = watched([file])
    answer, seconds = answers[str(file)]
    assert isinstance(answer, list), answer
    assert seconds < 4
    assert peak < 1 << 30
