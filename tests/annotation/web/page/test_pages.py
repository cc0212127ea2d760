"""The pages around the judging: the invitation, one's own page, the guideline, the way out."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def visitor(chromium: Any, office: Any) -> Any:
    """A browser in which nobody is signed in."""
    context = chromium.new_context(locale="ja-JP", base_url=office.url)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def test_who_is_invited_reads_the_terms_agrees_and_judges(visitor: Any, office: Any) -> None:
    _, token = office.invite()
    visitor.goto(f"/invite/{token}")
    text = visitor.locator("main").text_content()
    assert "報酬と、あなたの情報" in text
    assert "無理をしないために" in text
    visitor.locator("main form button").click()
    assert "/invite/" in visitor.url, "without the consent nobody gets in"
    visitor.locator("input[name=agree]").check()
    visitor.locator("main form button").click()
    visitor.wait_for_selector("#picture:not([hidden])")


def test_without_the_consent_the_page_says_what_is_missing(visitor: Any, office: Any) -> None:
    _, token = office.invite()
    visitor.goto(f"/invite/{token}")
    visitor.evaluate("document.querySelector('main form').noValidate = true")
    visitor.locator("main form button").click()
    assert "同意の欄" in visitor.locator("[role=alert]").text_content()
    assert visitor.locator("input[name=agree]").get_attribute("aria-invalid") == "true"


def test_a_spent_link_and_no_link_are_explained_in_words(visitor: Any, office: Any) -> None:
    visitor.goto("/invite/" + "0" * 64)
    assert "このリンクは使えません" in visitor.locator("h1").text_content()
    visitor.goto("/judge")
    assert "招待リンク" in visitor.locator("main").text_content()


def test_the_language_is_changed_from_any_page(visitor: Any, office: Any) -> None:
    _, token = office.invite()
    visitor.goto(f"/invite/{token}")
    visitor.locator("#menu summary").click()
    visitor.locator("[name=language][value=en]").click()
    visitor.wait_for_url(f"**/invite/{token}")
    assert visitor.locator("html").get_attribute("lang") == "en"
    assert "You are invited" in visitor.locator("h1").text_content()
    # The guideline stays in its own language, and says so to whoever reads it out.
    assert visitor.locator(".prose").first.get_attribute("lang") == "ja"


def test_a_profile_is_given_field_by_field_and_taken_back(newcomer: Any) -> None:
    page = newcomer(path="/me").page
    page.locator("[name=field_region]").select_option("kinki")
    page.locator("[name=publish_region]").check()
    page.locator("[value=profile]").click()
    assert "保存しました" in page.locator("[role=status]").text_content()
    page.reload()
    page.goto("/me")
    assert page.locator("[name=field_region]").input_value() == "kinki"
    assert page.locator("[name=publish_region]").is_checked()
    assert page.locator("[name=field_native_language]").input_value() == ""
    assert not page.locator("[name=publish_native_language]").is_checked()
    page.locator("[value=forget]").click()
    page.goto("/me")
    assert page.locator("[name=field_region]").input_value() == ""
    assert not page.locator("[name=publish_region]").is_checked()


def test_a_link_takes_one_to_another_device(newcomer: Any, visitor: Any) -> None:
    person = newcomer(path="/me")
    person.page.locator("[value=link]").click()
    link = person.page.locator("#device-link").input_value()
    person.page.locator("[data-copy]").wait_for()
    visitor.goto(link)
    assert "この端末でサインイン" in visitor.locator("h1").text_content()
    visitor.locator("main form button").click()
    visitor.wait_for_selector("#picture:not([hidden])")
    assert visitor.locator("body").get_attribute("data-person") == person.who


def test_ones_own_figures_are_on_ones_own_page(person: Any) -> None:
    person.press("3", "3", "Enter")
    second = person.caption
    person.press("s", "1")
    person.wait_past(second)
    person.wait_until_saved()
    person.page.goto("/me")
    figures = person.page.locator(".figure dd").all_text_contents()
    assert figures[0] == "1件"
    assert figures[2] == "1件"


def test_the_whole_guideline_is_one_page_with_a_way_back(newcomer: Any) -> None:
    page = newcomer(path="/guideline").page
    assert page.locator("main section").count() >= 9
    page.locator(".contents a").nth(2).click()
    assert page.url.endswith("#culture")
    page.locator("main a.button").click()
    page.wait_for_selector("#picture:not([hidden])")


def test_the_menu_closes_with_escape_and_gives_the_focus_back(newcomer: Any) -> None:
    page = newcomer(path="/me").page
    page.locator("#menu summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert not page.locator("#menu").evaluate("menu => menu.open")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_a_large_text_holds_on_every_page(person: Any) -> None:
    person.page.locator("[data-do=settings]").click()
    person.page.locator(".segments label", has_text="特大").click()
    size = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    assert person.page.evaluate(size) > 20
    person.page.goto("/guideline")
    person.wait_for(f"{size} > 20")


def test_pages_work_without_scripts_except_the_judging_which_says_so(chromium: Any, office: Any) -> None:
    context = chromium.new_context(locale="ja-JP", base_url=office.url, java_script_enabled=False)
    page = context.new_page()
    _, token = office.invite()
    page.goto(f"/invite/{token}")
    page.locator("input[name=agree]").check()
    page.locator("main form button").click()
    page.wait_for_url("**/judge")
    assert page.get_by_text("JavaScriptを有効に").is_visible()
    page.goto("/me")
    page.locator("[value=sign_out]").click()
    page.wait_for_url(office.url + "/")
    context.close()
