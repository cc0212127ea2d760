"""Through a lost connection: answers wait in the browser, and are sent later, once."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

FITS = ("3", "3", "Enter")


def waiting(person: Any) -> str:
    return str(person.page.locator("#state-text").text_content())


def test_answers_given_without_a_connection_arrive_once_it_is_back(person: Any) -> None:
    person.wait_until_saved()
    person.context.set_offline(True)
    captions = []
    for number in range(3):
        captions.append(person.caption)
        person.press(*FITS)
        person.wait_for(f"document.getElementById('state').dataset.waiting === '{number + 1}'")
    person.page.wait_for_selector("#empty[data-word=offline]")
    assert waiting(person) == "オフライン・3件を送信待ち"
    assert person.page.locator("#state").get_attribute("role") == "status"
    assert person.said() == {}
    person.context.set_offline(False)
    person.see_picture()
    person.wait_until_saved()
    assert waiting(person) == "保存済み"
    assert person.said() == {caption: {"match": 3, "culture": "not"} for caption in captions}
    assert person.caption not in captions


def test_answers_that_wait_survive_a_reload(person: Any) -> None:
    """The page is closed before anything could be sent, and opened again later."""
    person.wait_until_saved()
    person.page.route("**/api/submit", lambda route: route.abort())
    captions = []
    for _ in range(2):
        captions.append(person.caption)
        person.press(*FITS)
    person.wait_for("document.getElementById('state').dataset.waiting === '2'")
    person.page.reload()
    person.see_picture()
    assert person.caption not in captions
    assert waiting(person) == "オフライン・2件を送信待ち"
    assert person.said() == {}
    person.page.unroute("**/api/submit")
    person.page.evaluate("window.dispatchEvent(new Event('online'))")
    person.wait_until_saved()
    assert set(person.said()) == set(captions)


def test_an_answer_whose_reply_was_lost_is_taken_once(person: Any) -> None:
    caption = person.caption
    lost = []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    person.page.route("**/api/submit", lose)
    person.press(*FITS)
    person.see_picture()
    person.wait_until_saved()
    assert lost == [200]
    assert person.said() == {caption: {"match": 3, "culture": "not"}}
    assert person.caption != caption


def test_a_skip_and_a_report_whose_replies_were_lost_are_taken_once_and_quietly(person: Any) -> None:
    for path in ("skip", "report"):
        lost: list[int] = []

        def lose(route: Any, lost: list[int] = lost) -> None:
            if not lost:
                lost.append(route.fetch().status)
                route.abort()
            else:
                route.continue_()

        person.page.route(f"**/api/{path}", lose)
    first = person.caption
    person.press("s", "1")
    person.wait_past(first)
    person.wait_until_saved()
    second = person.caption
    person.press("r", "r")
    person.wait_past(second)
    person.wait_until_saved()
    assert person.skipped() == {first: "cannot_judge"}
    assert person.reported() == {second: "harmful"}
    assert person.page.locator(".refused").count() == 0


def test_a_server_in_trouble_gets_the_answer_later(person: Any) -> None:
    caption = person.caption
    statuses = iter([500, 503, 429])

    def stumble(route: Any) -> None:
        status = next(statuses, None)
        if status is None:
            route.continue_()
        else:
            route.fulfill(
                status=status, json={"error": "server_error", "message": "", "word": ""}, headers={"Retry-After": "1"}
            )

    person.page.route("**/api/submit", stumble)
    person.press(*FITS)
    person.wait_until_saved()
    assert person.said() == {caption: {"match": 3, "culture": "not"}}
    assert person.page.locator(".refused").count() == 0


def test_an_answer_not_yet_sent_is_taken_back_without_the_server(person: Any) -> None:
    person.wait_until_saved()
    person.context.set_offline(True)
    first = person.caption
    person.press(*FITS)
    person.wait_for("document.getElementById('state').dataset.waiting === '1'")
    person.press("u")
    person.wait_for_caption(first)
    assert waiting(person) == "オフライン"
    person.press("Backspace", "1", "5", "Enter")
    person.context.set_offline(False)
    person.see_picture()
    person.wait_until_saved()
    assert person.said() == {first: {"match": 3, "culture": "specific", "category": "food"}}


def test_an_answer_that_comes_too_late_is_taken_when_nobody_else_was_given_the_pair(person: Any, expire: Any) -> None:
    person.wait_until_saved()
    person.context.set_offline(True)
    captions = []
    for number in range(3):
        captions.append(person.caption)
        person.press(*FITS)
        person.wait_for(f"document.getElementById('state').dataset.waiting === '{number + 1}'")
    expire()
    person.context.set_offline(False)
    person.see_picture()
    person.wait_until_saved()
    assert person.page.locator(".notice").count() == 0
    assert person.said() == {caption: {"match": 3, "culture": "not"} for caption in captions}
    assert person.caption not in captions
    person.press("u")
    person.wait_for_caption(captions[-1])


def test_a_refused_answer_is_told_calmly_and_its_words_are_kept(person: Any, expire: Any, close: Any) -> None:
    person.wait_until_saved()
    person.context.set_offline(True)
    caption = person.caption
    person.press("2", "3", "w")
    person.page.keyboard.type("わたしの文")
    person.press("Control+Enter")
    person.wait_for("document.getElementById('state').dataset.waiting === '1'")
    expire()
    close(caption)
    person.context.set_offline(False)
    notice = person.page.locator(".refused")
    notice.wait_for()
    assert "別の方に回りました" in notice.text_content()
    assert notice.locator(".refused__caption").text_content() == caption
    assert notice.locator("textarea").input_value() == "わたしの文"
    person.page.reload()
    notice.wait_for()
    assert notice.locator("textarea").input_value() == "わたしの文"
    notice.locator(".refused__close").click()
    person.page.reload()
    person.see_picture()
    assert notice.count() == 0
    assert person.said() == {}


def test_a_lease_that_ran_out_unnoticed_is_taken_up_again_with_what_was_begun(person: Any, expire: Any) -> None:
    caption = person.caption
    person.press("2", "3", "w")
    person.page.keyboard.type("わたしの文")
    expire()
    person.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    person.page.wait_for_timeout(500)
    if person.caption == caption:
        assert person.page.locator("textarea").input_value() == "わたしの文"
        person.press("Control+Enter")
        person.wait_until_saved()
        assert person.said()[caption]["better_caption"] == "わたしの文"
    else:
        assert person.page.locator(".refused textarea").input_value() == "わたしの文"


def test_what_was_begun_goes_on_after_a_reload(person: Any) -> None:
    caption = person.caption
    person.press("2", "1", "1", "w")
    person.page.keyboard.type("途中の文")
    person.page.reload()
    person.see_picture()
    assert person.caption == caption
    assert person.page.locator("textarea").input_value() == "途中の文"


def test_nothing_is_held_by_a_page_that_was_closed(person: Any, leases: Any) -> None:
    person.wait_until_saved()
    assert leases() == 3
    person.page.goto("/guideline")
    for _ in range(100):
        if not leases():
            break
        person.page.wait_for_timeout(50)
    assert leases() == 0


def test_who_was_signed_out_loses_no_answer(person: Any, office: Any) -> None:
    person.wait_until_saved()
    caption = person.caption
    cookies = person.context.cookies()
    person.context.clear_cookies()
    person.press(*FITS)
    person.page.locator("#signed-out").wait_for()
    assert "1件" in person.page.locator("#signed-out-waiting").text_content()
    person.page.locator("#signed-out [data-choice]").click()
    person.page.wait_for_url(office.url + "/")
    assert "サインインしていません" in person.page.locator("h1").text_content()
    person.context.add_cookies(cookies)
    person.page.goto("/judge")
    person.see_picture()
    person.wait_until_saved()
    assert person.said() == {caption: {"match": 3, "culture": "not"}}


def test_signing_out_leaves_nothing_behind_on_the_device(person: Any, office: Any) -> None:
    caption = person.caption
    person.page.route("**/api/submit", lambda route: route.abort())
    person.press("b", *FITS)
    person.wait_for("document.getElementById('state').dataset.waiting === '1'")
    person.page.goto("/me")
    person.page.locator("[value=sign_out]").click()
    question = person.page.locator("#sign-out-unsent")
    question.wait_for()
    assert "1件" in question.text_content()
    person.page.unroute("**/api/submit")
    person.page.locator("[value=sign_out]").click()
    person.page.wait_for_url(office.url + "/")
    left = "(async () => [(await indexedDB.databases()).length, localStorage.length, sessionStorage.length])()"
    assert person.page.evaluate(left) == [0, 0, 0]
    assert person.said() == {caption: {"match": 3, "culture": "not"}}


def test_a_second_person_on_one_computer_sends_nothing_of_the_first(person: Any, office: Any) -> None:
    person.page.route("**/api/submit", lambda route: route.abort())
    person.press(*FITS)
    person.wait_for("document.getElementById('state').dataset.waiting === '1'")
    person.page.unroute("**/api/submit")
    who, token = office.invite()
    person.context.clear_cookies()
    person.page.goto(f"/invite/{token}")
    person.page.locator("input[name=agree]").check()
    person.page.locator("main form button").click()
    person.see_picture()
    person.wait_until_saved()
    assert person.said() == {}
    person.who = who
    assert person.said() == {}


def test_a_browser_that_cannot_keep_answers_says_so_and_still_sends_them(newcomer: Any) -> None:
    person = newcomer(path="/guideline")
    person.page.add_init_script("indexedDB.open = () => { throw new Error('not here'); };")
    person.page.goto("/judge")
    person.see_picture()
    assert "保存できません" in person.page.locator("#notices").text_content()
    caption = person.caption
    person.press(*FITS)
    person.wait_until_saved()
    assert set(person.said()) == {caption}


def test_a_gateway_that_knows_of_no_such_page_is_not_the_servers_refusal(person: Any) -> None:
    """A tunnel or proxy that has lost the server may answer anything: what waits goes on waiting."""
    person.wait_until_saved()
    caption = person.caption
    person.page.route("**/api/**", lambda route: route.fulfill(status=404, body="<h1>no such tunnel</h1>"))
    person.press(*FITS)
    person.wait_for("document.getElementById('state-text').textContent.includes('オフライン')")
    assert person.page.locator(".refused").count() == 0
    person.page.unroute("**/api/**")
    person.page.evaluate("window.dispatchEvent(new Event('online'))")
    person.wait_until_saved()
    assert person.said() == {caption: {"match": 3, "culture": "not"}}


def test_a_clock_that_is_set_back_costs_no_answer(person: Any) -> None:
    caption = person.caption
    person.page.evaluate("{ const now = Date.now(); Date.now = () => now - 3_600_000; }")
    person.press(*FITS)
    person.see_picture()
    person.wait_until_saved()
    assert person.said() == {caption: {"match": 3, "culture": "not"}}
