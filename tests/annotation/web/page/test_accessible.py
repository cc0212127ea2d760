"""axe-core finds nothing serious on any page, and a screen reader is told what it needs."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest

from waon_build.annotation.models import Role

pytestmark = pytest.mark.slow

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def axe() -> str:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def check(axe: str) -> Callable[[Any], None]:
    """Fails when axe finds a serious or critical violation on the page as it stands."""

    def run(page: Any) -> None:
        page.wait_for_timeout(200)
        page.evaluate(axe)
        found = page.evaluate("rules => axe.run(document, { runOnly: rules })", RULES)
        serious = [
            f"{one['id']} ({one['impact']}): {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
            for one in found["violations"]
            if one["impact"] in ("serious", "critical", "moderate")
            for node in one["nodes"]
        ]
        assert serious == []

    return run


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_of_the_judging_page(newcomer: Any, check: Any, scheme: str) -> None:
    person = newcomer(color_scheme=scheme)
    person.see_picture()
    check(person.page)
    person.press("3")
    check(person.page)
    person.press("1", "1")
    check(person.page)
    person.press("1", "w")
    person.page.keyboard.type("門松")
    check(person.page)
    person.press("Control+Enter")
    for key, opened in (("?", "keys"), ("s", "skip"), ("r", "report"), ("h", "recent"), (" ", "zoom")):
        person.press(key)
        person.page.locator(f"#{opened}").wait_for()
        check(person.page)
        person.press("Escape")
    person.page.locator("[data-do=settings]").click()
    check(person.page)
    person.press("Escape", "b")
    check(person.page)
    person.press("g")
    person.page.locator("#menu summary").click()
    check(person.page)
    person.page.locator("#menu summary").click()
    person.page.locator("#question").focus()
    person.context.set_offline(True)
    for _ in range(3):
        person.press("3", "3", "Enter")
    person.page.wait_for_selector("#empty[data-word=offline]")
    check(person.page)


def test_the_phones_page_and_its_sheet(newcomer: Any, check: Any) -> None:
    person = newcomer(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    person.see_picture()
    check(person.page)
    person.page.locator("[data-guide-toggle]").tap()
    check(person.page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_other_page(newcomer: Any, check: Any, office: Any, scheme: str, language: str) -> None:
    person = newcomer(color_scheme=scheme, locale=language)
    for path in ("/me", "/guideline", "/nowhere", f"/invite/{office.invite()[1]}", "/invite/spent"):
        person.page.goto(path)
        assert person.page.locator("html").get_attribute("lang") == language
        check(person.page)
    person.page.goto("/me")
    person.page.locator("[value=link]").click()
    check(person.page)
    person.context.clear_cookies()
    person.page.goto("/")
    check(person.page)


COORDINATORS = ("", "/people", "/disagreements", "/adjudication", "/gold", "/reports", "/guideline", "/filters")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_coordinators_pages(newcomer: Any, check: Any, office: Any, scheme: str) -> None:
    other = office.person()
    for match in (3, 0):
        task = other.call("claim").json()["tasks"][0]
        answers = {"match": match, "culture": "specific", "category": "event"}
        submitted = {"task_id": task["task_id"], "token": task["token"], "answers": answers}
        other.call("submit", {**submitted, "guideline_version": "2026-11-1"})
    task = other.call("claim").json()["tasks"][0]
    other.call("report", {"task_id": task["task_id"], "token": task["token"], "kind": "harmful"})
    person = newcomer(path="/coordinator", role=Role.COORDINATOR, color_scheme=scheme)
    for path in COORDINATORS:
        person.page.goto(f"/coordinator{path}")
        check(person.page)
        person.page.set_viewport_size({"width": 360, "height": 740})
        assert person.page.evaluate("document.documentElement.scrollWidth") <= 360
        person.page.set_viewport_size({"width": 1366, "height": 768})


def test_a_screen_reader_hears_question_after_question_and_never_the_caption_as_the_picture(person: Any) -> None:
    page = person.page
    assert page.locator("#picture").get_attribute("alt") == "判定する写真"
    assert page.evaluate("document.activeElement.id") == "question"
    person.press("3")
    assert page.evaluate("document.activeElement.id") == "question"
    assert page.locator("#fields [role=group]").get_attribute("aria-labelledby") == "question"
    person.press("3", "Enter")
    person.wait_for("document.getElementById('announcements').textContent.includes('次の写真です。文：第')")
    assert page.locator("#announcements").get_attribute("role") == "status"
    headings = page.locator("main :is(h1, h2)").evaluate_all("all => all.map(one => one.tagName)")
    assert headings[0] == "H1"
    assert page.locator("#caption").get_attribute("lang") == "ja"


def test_motion_is_reduced_and_forced_colours_show_what_is_chosen(newcomer: Any) -> None:
    person = newcomer(reduced_motion="reduce", forced_colors="active")
    person.see_picture()
    person.press("3", "u")
    chosen = person.page.locator(".option--chosen")
    style = chosen.evaluate("one => [getComputedStyle(one).outlineStyle, getComputedStyle(one).transitionDuration]")
    assert style == ["solid", "0s"]
