"""Judging by keyboard: what an annotator does for hours."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

SEEN = ("3", "1", "2", "Enter")
"""It fits well, is specific, shows a building, and nothing is wrong with it."""


def test_twenty_pairs_are_judged_with_four_keys_each(person: Any) -> None:
    expected = {}
    for number in range(20):
        expected[person.caption] = {"match": number % 4, "culture": "specific", "category": "food"}
        person.press(str(number % 4), "1", "5", "Enter")
        person.see_picture()
    person.wait_until_saved()
    assert person.said() == expected
    assert set(person.devices()) == {"keyboard"}
    assert all(active >= 0 for active in person.active())
    assert "20件" in person.page.locator("#counts").text_content()


def test_what_is_not_asked_costs_no_key(person: Any) -> None:
    caption = person.caption
    person.press("0", "3", "Enter")
    person.wait_until_saved()
    assert person.said() == {caption: {"match": 0, "culture": "not"}}


def test_a_scale_has_its_numbers_as_keys_and_each_button_shows_its_own(person: Any) -> None:
    shown = person.page.locator("#fields .option").evaluate_all(
        "options => options.map(one => [one.dataset.value, one.querySelector('kbd').textContent])"
    )
    assert shown == [["0", "0"], ["1", "1"], ["2", "2"], ["3", "3"], ["cannot_tell", "4"]]
    caption = person.caption
    person.press("4", "4", "Enter")
    person.wait_until_saved()
    assert person.said() == {caption: {"match": "cannot_tell", "culture": "cannot_tell"}}


def test_flags_and_own_words_share_the_last_step(person: Any) -> None:
    caption = person.caption
    person.press("1", "3", "3", "5", "w")
    person.page.keyboard.type("三段の重箱に詰められたおせち料理 123 sr")
    person.page.locator(".consent input").check()
    person.press("Enter")
    person.see_picture()
    person.wait_until_saved()
    assert person.said() == {
        caption: {
            "match": 1,
            "culture": "not",
            "flags": ["advertisement", "generated"],
            "better_caption": "三段の重箱に詰められたおせち料理 123 sr",
            "better_caption_consent": True,
        }
    }


def test_a_consent_falls_with_the_words_it_is_for(person: Any) -> None:
    caption = person.caption
    person.press("3", "3", "w")
    person.page.keyboard.type("門松")
    person.page.locator(".consent input").check()
    person.page.locator("textarea").fill("")
    assert person.page.locator(".consent").is_hidden()
    person.press("Control+Enter")
    person.wait_until_saved()
    assert person.said() == {caption: {"match": 3, "culture": "not"}}


def test_no_key_acts_on_the_page_while_somebody_writes(person: Any) -> None:
    caption = person.caption
    person.press("3", "3", "w")
    person.page.keyboard.type("surzbghw 1234 ?+")
    assert person.caption == caption
    assert person.page.locator("dialog[open]").count() == 0
    assert person.page.locator("textarea").input_value() == "surzbghw 1234 ?+"


def test_one_key_goes_back_a_question_and_then_a_pair(person: Any) -> None:
    first = person.caption
    person.press(*SEEN)
    person.see_picture()
    second = person.caption
    assert second != first
    person.press("2", "1")
    person.press("u", "u")
    assert person.question.startswith("文は")
    person.wait_until_saved()
    person.press("u")
    person.wait_for_caption(first)
    assert person.said() == {}
    # The answers are as they were; the last step is where one left.
    assert person.page.locator(".trail__words").all_text_contents() == ["よく合っている", "固有", "建物"]
    person.press("Backspace", "3", "Enter")
    person.wait_for_caption(second)
    assert person.page.locator(".option--chosen .option__label").all_text_contents() == ["だいたい合っている"]
    person.wait_until_saved()
    assert person.said() == {first: {"match": 3, "culture": "specific", "category": "event"}}


def test_ten_answers_can_be_taken_back(person: Any) -> None:
    captions = []
    for _ in range(12):
        captions.append(person.caption)
        person.press("3", "3", "Enter")
        person.see_picture()
    person.wait_until_saved()
    person.press("h")
    person.page.wait_for_selector(".recent__row")
    assert person.page.locator(".recent__caption").all_text_contents() == captions[:1:-1]
    person.page.locator(".recent__row button").nth(7).click()
    person.wait_for_caption(captions[4])
    person.press("Enter")
    person.see_picture()
    person.wait_until_saved()
    assert set(person.said()) == set(captions)


def test_an_answer_given_before_a_reload_can_be_taken_back(person: Any) -> None:
    first = person.caption
    person.press("3", "3", "Enter")
    person.wait_until_saved()
    person.page.reload()
    person.see_picture()
    person.press("z")
    person.wait_for_caption(first)
    assert person.said() == {}


def test_what_is_skipped_has_a_reason_and_does_not_come_back(person: Any) -> None:
    first = person.caption
    person.press("s", "2")
    person.wait_past(first)
    assert "休んで" in person.page.locator("#notices").text_content()
    second = person.caption
    person.press("s")
    person.page.locator("#skip-note").fill("4 回転している")
    person.page.locator("#skip [data-choice=broken]").click()
    person.wait_past(second)
    person.press("s", "Escape")
    third = person.caption
    person.wait_until_saved()
    assert person.skipped() == {first: "distressing", second: "broken"}
    assert third not in person.skipped()


def test_a_report_takes_two_presses_and_hides_the_picture_at_once(person: Any) -> None:
    first = person.caption
    person.press("r")
    backdrop = "getComputedStyle(document.getElementById('report'), '::backdrop').backgroundColor"
    assert person.page.evaluate(backdrop) == person.page.evaluate("getComputedStyle(document.body).backgroundColor")
    person.press("Escape", "r", "Enter")
    assert person.caption == first
    person.press("r", "r")
    person.wait_past(first)
    second = person.caption
    person.press("r", "2")
    person.wait_past(second)
    person.wait_until_saved()
    assert person.reported() == {first: "harmful", second: "personal"}


def test_quick_hands_may_open_a_dialog_that_has_only_just_been_closed(person: Any) -> None:
    first = person.caption
    press = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: '%s', bubbles: true }));"
    close = "document.getElementById('skip').close();"
    person.page.evaluate((press % "s") + close + (press % "s"))
    assert person.page.locator("#skip").is_visible()
    person.press("2")
    person.wait_past(first)
    person.wait_until_saved()
    assert person.skipped() == {first: "distressing"}


def test_what_somebody_else_reports_disappears_from_the_screen(person: Any, office: Any) -> None:
    caption = person.caption
    other = office.person()
    for _ in range(40):
        tasks = {task["caption"]: task for task in other.call("claim").json()["tasks"]}
        if caption in tasks:
            break
        task = next(iter(tasks.values()))
        other.call("skip", {"task_id": task["task_id"], "token": task["token"], "reason": "other"})
    task = tasks[caption]
    other.call("report", {"task_id": task["task_id"], "token": task["token"], "kind": "harmful"})
    person.press("3", "3", "w")
    person.page.keyboard.type("半分書いた文")
    person.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    person.wait_for(f"document.getElementById('caption').textContent !== {caption!r}")
    notice = person.page.locator(".refused")
    assert "報告を受けて" in notice.text_content()
    assert notice.locator("textarea").input_value() == "半分書いた文"


def test_the_guideline_follows_the_question(person: Any) -> None:
    shown = person.page.locator("#guide section:not([hidden])")

    def names() -> list[str]:
        return shown.evaluate_all("sections => sections.map(one => one.dataset.section)")

    assert names() == ["match"]
    person.press("3")
    assert names() == ["culture"]
    person.page.locator("#guide-contents").select_option("wellbeing")
    assert names() == ["wellbeing"]
    person.page.locator("#question").focus()
    person.press("1")
    assert names() == ["category"]
    person.press("2")
    assert names() == ["flags", "better_caption"]
    person.press("w")
    assert names() == ["better_caption"]
    person.press("Escape")
    person.press("g")
    assert person.page.locator("#guide").is_hidden()
    person.page.reload()
    person.see_picture()
    assert person.page.locator("#guide").is_hidden()


def test_no_request_stands_between_the_key_and_the_next_picture(person: Any) -> None:
    person.wait_until_saved()
    person.page.route("**/api/**", lambda route: None)
    person.page.route("**/pictures/**", lambda route: None)
    person.page.wait_for_timeout(300)
    for _ in range(2):
        before = person.caption
        person.press("3", "3", "Enter")
        # Looked at right after the key: nothing has been waited for.
        now = person.page.evaluate(
            "(() => { const it = document.getElementById('picture'); "
            "return [it.complete && !it.hidden && it.naturalWidth > 0, it.src.startsWith('blob:')] })()"
        )
        assert now == [True, True]
        assert person.caption != before
    assert person.page.evaluate("performance.getEntriesByName('waon:next-picture').length") >= 1


def test_shortcuts_can_be_switched_off_and_everything_is_reached_without_them(person: Any) -> None:
    person.page.locator("[data-do=settings]").click()
    person.page.locator("[name=shortcuts]").uncheck()
    person.press("Escape")
    first = person.caption
    person.press("3", "s", "r", "b", "u", " ", "?")
    assert person.question.startswith("文は")
    assert person.page.locator("dialog[open]").count() == 0
    person.page.reload()
    person.see_picture()
    person.press("3")
    assert person.question.startswith("文は")
    person.page.locator("#question").focus()
    person.press("Tab", "Tab", "Tab", "Tab", "Enter")
    assert person.question.startswith("日本の文化")
    person.press("Tab", "Tab", "Tab", "Enter")
    person.press("Enter")
    person.see_picture()
    person.wait_until_saved()
    assert person.said() == {first: {"match": 3, "culture": "not"}}


def test_a_held_key_and_a_double_click_answer_one_question(person: Any) -> None:
    person.page.keyboard.down("1")
    for _ in range(5):
        person.page.keyboard.down("1")
    person.page.keyboard.up("1")
    assert person.question.startswith("日本の文化")
    person.page.locator("#fields .option").first.dblclick()
    assert person.question.startswith("いちばん近い")


def test_zoom_holds_the_focus_and_gives_it_back(person: Any) -> None:
    person.press("3", " ")
    assert person.page.locator("#zoom").is_visible()
    for _ in range(6):
        person.press("Tab")
        assert person.page.evaluate(
            "document.activeElement.closest('#zoom') !== null || document.activeElement === document.body"
        )
    person.page.locator("#zoom-view").focus()
    person.press("+", "+", "ArrowLeft")
    assert "scale(1.96)" in person.page.locator("#zoom-view img").get_attribute("style")
    person.press("0")
    assert "scale(1)" in person.page.locator("#zoom-view img").get_attribute("style")
    person.press("Escape")
    assert person.page.locator("#zoom").is_hidden()
    assert person.page.evaluate("document.activeElement.id") == "question"
    assert person.question.startswith("日本の文化")


def test_a_blur_is_remembered_and_always_blurred_reveals_one_by_one(person: Any) -> None:
    blurred = "getComputedStyle(document.getElementById('picture')).filter !== 'none'"
    assert not person.page.evaluate(blurred)
    person.press("b", "3", "3", "Enter")
    assert person.page.evaluate(blurred)
    person.page.reload()
    person.see_picture()
    assert person.page.evaluate(blurred)
    person.page.locator("#reveal").click()
    assert not person.page.evaluate(blurred)
    person.page.locator("[data-do=settings]").click()
    person.page.locator("[name=blurAlways]").check()
    person.press("Escape")
    assert person.page.evaluate(blurred)
    person.press("b")
    assert not person.page.evaluate(blurred)
    person.press("3", "3", "Enter")
    assert person.page.evaluate(blurred)


def test_the_days_own_limit_stops_and_can_be_lifted(person: Any) -> None:
    person.page.locator("[data-do=settings]").click()
    person.page.locator("[name=cap]").select_option("pairs")
    person.page.locator("[name=capPairs]").fill("2")
    person.press("Tab", "Escape")
    person.press("3", "3", "Enter")
    assert person.page.locator("#cap").is_hidden()
    person.press("3", "3", "Enter")
    assert person.page.locator("#cap").is_visible()
    person.page.locator("#cap [data-choice=stop]").click()
    person.page.wait_for_selector("#empty[data-word=stopped]")
    assert person.page.locator("#pair").is_hidden()
    person.page.locator("#empty-action").click()
    person.see_picture()
    person.press("3", "3", "Enter")
    person.page.locator("#cap [data-choice=more]").click()
    person.press("3", "3", "Enter")
    assert person.page.locator("#cap").is_hidden()
    person.wait_until_saved()
    assert len(person.said()) == 4


def test_after_fifty_minutes_a_break_is_offered(newcomer: Any) -> None:
    person = newcomer(path="/guideline")
    person.page.clock.install()
    person.page.goto("/judge")
    person.see_picture()
    for _ in range(51):
        person.page.clock.fast_forward(20_000)
        person.page.mouse.move(10, 10)
        person.page.clock.fast_forward(20_000)
        person.page.mouse.move(20, 20)
        person.page.clock.fast_forward(20_000)
        person.page.mouse.move(30, 30)
    person.press("3", "3", "Enter")
    assert person.page.locator("#break").is_visible()
    person.page.locator("#break [data-choice=stop]").click()
    person.page.wait_for_selector("#empty[data-word=resting]")
    person.page.locator("#empty-action").click()
    person.see_picture()
    person.press("3", "3", "Enter")
    assert person.page.locator("#break").is_hidden()


def test_two_tabs_do_not_judge_the_same_picture(person: Any) -> None:
    other = person.context.new_page()
    other.goto("/judge")
    other.wait_for_selector("#empty[data-word=elsewhere]")
    caption = person.caption
    other.locator("#empty-action").click()
    other.wait_for_selector("#picture:not([hidden])")
    assert other.locator("#caption").text_content() == caption
    person.page.wait_for_selector("#empty[data-word=elsewhere]")


def test_a_picture_that_cannot_be_shown_says_so(served: Any, newcomer: Any, hung: Any) -> None:
    hung([f"第{number}の写真に添えられた文" for number in range(30)], broken=True)
    person = newcomer()
    person.wait_for("document.getElementById('picture-message-text').textContent.includes('表示できません')")
    first = person.caption
    person.press("s", "3")
    person.wait_for(f"document.getElementById('caption').textContent !== {first!r}")
    person.wait_until_saved()
    assert person.skipped() == {first: "broken"}


def test_time_counts_only_while_somebody_works(newcomer: Any) -> None:
    """Ten minutes before one picture, nine of them away: what is counted ends half a minute after the last input."""
    person = newcomer(path="/guideline")
    person.page.clock.install()
    person.page.goto("/judge")
    person.see_picture()
    person.page.mouse.move(10, 10)
    person.page.clock.fast_forward(20_000)
    person.page.mouse.move(20, 20)
    person.page.clock.fast_forward(20_000)
    person.page.mouse.move(30, 30)
    person.page.clock.fast_forward(560_000)
    person.press("3", "3", "Enter")
    person.wait_until_saved()
    (active,) = person.active()
    assert 65_000 <= active <= 80_000
    (waited,) = person.waited()
    assert 595_000 <= waited <= 620_000


def test_who_stops_and_goes_on_at_once_loses_nothing(person: Any) -> None:
    """What was given back is not shown once more because of a reply that was still under way, and not taken away
    again from what was then claimed."""
    person.wait_until_saved()
    slow: list[Any] = []
    refused: list[str] = []
    person.page.route("**/api/submit", lambda route: slow.append(route))
    person.page.route("**/api/release", lambda route: (person.page.wait_for_timeout(300), route.continue_()))
    person.page.on("response", lambda reply: refused.append(reply.url) if reply.status == 409 else None)
    person.page.locator("[data-do=settings]").click()
    person.page.locator("[name=cap]").select_option("pairs")
    person.page.locator("[name=capPairs]").fill("1")
    person.press("Tab", "Escape", "3", "3", "Enter")
    person.page.locator("#cap [data-choice=stop]").click()
    person.page.wait_for_selector("#empty[data-word=stopped]")
    with person.page.expect_response("**/api/release"):
        slow.pop().continue_()
    person.page.unroute("**/api/submit")
    person.page.locator("#empty-action").click()
    person.see_picture()
    person.press("3", "3", "Enter")
    person.page.locator("#cap [data-choice=more]").click()
    person.wait_until_saved()
    person.page.wait_for_timeout(300)
    assert refused == []
    assert len(person.said()) == 2
