"""The screenshots of the docs, taken anew: they show the page as it is.

Written to a temporary folder, or where WAON_SCREENSHOTS says:

    WAON_SCREENSHOTS=docs/screenshots pytest tests/annotation/web/page/test_screenshots.py
"""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from waon_build.demo import pictures

pytestmark = pytest.mark.slow

MOST_BYTES = 150_000
DESK = {"width": 1280, "height": 720}
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 1.5}


@pytest.fixture
def office(served: Any, hung: Any, gallery: Any) -> Any:
    hung([stored.scene.captions[0] for stored in gallery[1]])
    return served(language="ja")


@pytest.fixture
def shoot(tmp_path: Path) -> Callable[[Any, str], None]:
    """Takes a screenshot. name: of its file."""
    folder = Path(os.environ.get("WAON_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> None:
        page.wait_for_timeout(200)
        taken = Image.open(BytesIO(page.screenshot())).convert("RGB")
        file = folder / f"{name}.png"
        for scale, colours in ((1, 256), (1, 128), (1, 64), (0.6, 128)):
            small = taken.resize((round(scale * taken.width), round(scale * taken.height)), Image.Resampling.LANCZOS)
            small.quantize(colours, dither=Image.Dither.NONE).save(file, optimize=True)
            if file.stat().st_size < MOST_BYTES:
                break
        assert file.stat().st_size < MOST_BYTES

    return take


def look_for(person: Any, scene: str) -> None:
    """Answer until the picture of a scene is on the screen."""
    person.see_picture()
    for _ in pictures.scenes():
        if person.caption == pictures.scenes()[scene].captions[0]:
            return
        person.press("3", "1", "2", "Enter")
        person.see_picture()
    raise AssertionError(f"{scene} never came")


def test_the_screenshots_of_the_judging_page(newcomer: Any, shoot: Any) -> None:
    person = newcomer(viewport=DESK)
    look_for(person, "kayabuki")
    shoot(person.page, "judging")
    person.press("3", "1", "2")
    shoot(person.page, "last-step")
    person.press("?")
    shoot(person.page, "keys")
    person.press("Escape", " ", "+", "+")
    shoot(person.page, "zoom")
    person.press("Escape", "b")
    shoot(person.page, "blurred")
    person.press("b")
    person.wait_until_saved()
    person.context.set_offline(True)
    person.press("Enter")
    person.wait_for("document.getElementById('state').dataset.waiting === '1'")
    shoot(person.page, "offline")


def test_the_screenshot_in_the_dark(newcomer: Any, shoot: Any) -> None:
    person = newcomer(viewport=DESK, color_scheme="dark")
    look_for(person, "pagoda")
    person.press("3")
    shoot(person.page, "dark")


def test_the_screenshot_in_english(newcomer: Any, shoot: Any) -> None:
    person = newcomer(viewport=DESK, locale="en")
    look_for(person, "koi")
    person.press("3", "1")
    shoot(person.page, "english")


def test_the_screenshots_on_a_phone(newcomer: Any, shoot: Any) -> None:
    person = newcomer(**PHONE)
    look_for(person, "castle")
    shoot(person.page, "phone")
    person.page.locator("[data-guide-toggle]").tap()
    shoot(person.page, "phone-guideline")


def test_the_screenshots_of_the_other_pages(newcomer: Any, office: Any, shoot: Any) -> None:
    person = newcomer(path="/me", viewport=DESK)
    shoot(person.page, "own-page")
    person.page.goto(f"/invite/{office.invite()[1]}")
    shoot(person.page, "invitation")
