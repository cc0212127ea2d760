"""A real Potato takes our project and serves it, and we take what it writes.

It has its own environment and is only ever run as a program: `make test-potato` installs it and runs these
tests, `make test` does not. Traffic stays on loopback.
"""

from __future__ import annotations

import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from waon_build.annotation.connectors.tools import Tool

POTATO = os.environ.get("WAON_POTATO")

pytestmark = [
    pytest.mark.skipif(POTATO is None, reason="needs Potato in an environment of its own: see its make target"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def handed(handed_out: Callable[[Tool], Any]) -> Any:
    return handed_out(Tool.POTATO)


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., list[str]]:
    def command(*arguments: str) -> list[str]:
        return [str(Path(POTATO or "").absolute()), *arguments]

    return command


@pytest.fixture
def potato(handed: Any, program: Callable[..., list[str]], free_port: int, tmp_path: Path) -> Iterator[str]:
    """The address of a server, started as the folder's README says."""
    command = program("start", "config.yaml", "--port", str(free_port), "--host", "127.0.0.1")
    environment = {**{name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, "HOME": str(tmp_path)}
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, cwd=handed.folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while True:
            assert server.poll() is None, (tmp_path / "server.log").read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, (tmp_path / "server.log").read_text(errors="replace")[-2000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{free_port}/", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{free_port}"
    finally:
        server.terminate()
        server.wait(30)


def test_it_finds_nothing_to_say_against_the_project(handed: Any, program: Callable[..., list[str]]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    checked = subprocess.run(
        program("validate", "config.yaml", "--strict"),
        env=environment,
        cwd=handed.folder,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "no issues found" in checked.stdout


def test_what_is_answered_in_its_page_comes_back_and_a_hostile_caption_is_shown_as_text(
    potato: str,
    handed: Any,
    chromium: Any,
    engine: Engine,
    take_in: Callable[[Path], dict[str, Any]],
    said: Callable[[], list[Any]],
) -> None:
    asked: list[str] = []
    page = chromium.new_page(viewport={"width": 1300, "height": 1400})
    page.on("request", lambda request: asked.append(request.url))
    page.goto(potato)
    page.click("text=登録")
    page.locator("input[name=email]:visible").first.fill("hanako@example.org")
    page.locator("input[type=password]:visible").first.fill("a-long-password-1")
    page.locator("button[type=submit]:visible").first.click()

    def choose(question: str, word: str) -> None:
        page.locator(f'input[name="{question}"][value="{word}"]').check()

    def go_on() -> None:
        page.wait_for_timeout(1000)  # it saves what was clicked when nothing is clicked for a while
        before = page.locator(".display-image").get_attribute("src")
        page.locator("#next-btn").first.click()
        page.wait_for_function(
            "src => document.querySelector('.display-image')?.getAttribute('src') !== src", arg=before
        )

    page.locator(".display-image").wait_for()
    seen = []
    for number in range(6):
        assert page.locator(".display-image").evaluate("image => image.complete && image.naturalWidth") == 64
        seen.append(page.locator(".text-display-content").inner_text())
        choose("match", "2")
        choose("culture", "related")
        choose("category", "food")
        choose("culture", "not")
        if number == 0:
            page.locator("textarea[schema=better_caption]").fill("よりよい文")
            choose("better_caption_consent:::yes", "yes")
            choose("flags:::generated", "generated")
        if number < 5:
            go_on()
    page.wait_for_timeout(2000)
    assert sorted(caption.replace("\u2060", "") for caption in seen) == sorted(
        [*(f"第{number}の門松" for number in range(5)), handed.hostile]
    )
    assert page.title() != "run"
    assert [url for url in asked if not url.startswith((potato, "data:", "blob:"))] == []

    assert take_in(handed.folder / "annotation_output") == {"read": 6, "kept": 6, "dropped": {}}
    more = {"flags": ["generated"], "better_caption": "よりよい文", "better_caption_consent": True}
    plain = {"match": 2, "culture": "not"}
    answers = [a.answers for a in said()]
    assert sorted(answers, key=len) == [plain] * 5 + [{**plain, **more}]
    assert b"hanako" not in Path(str(engine.url.database)).read_bytes()
