"""What a response says of its own use, statement by statement."""

from __future__ import annotations

from waon_build.rights import MOST, statements

URL = "https://example.org/a.html"


def _refused(headers: list[tuple[str, str]], metas: list[tuple[str, str]] | None = None) -> list[str]:
    return [statement.signal for statement in statements(URL, headers, metas or []) if statement.refuses]


def test_silence_is_no_statement() -> None:
    assert statements(URL, [("Content-Type", "image/png"), ("Server", "noai")], [("description", "noai")]) == []


def test_every_header_of_one_name_is_read() -> None:
    found = statements(
        URL, [("X-Robots-Tag", "nofollow"), ("x-robots-tag", "otherbot: none"), ("X-ROBOTS-TAG", "noai")]
    )
    assert [(evidence.value, evidence.refuses) for evidence in found] == [
        ("nofollow", False),
        ("otherbot: none", False),
        ("noai", True),
    ]
    assert {evidence.url for evidence in found} == {URL}


def test_evidence_is_kept_whether_it_refuses_or_not_and_is_bounded() -> None:
    found = statements(
        URL, [("X-Robots-Tag", "all, " * 500), ("TDM-Reservation", "0"), ("Content-Usage", "train-ai=y")]
    )
    assert [evidence.signal for evidence in found] == ["x_robots_tag", "tdm_reservation", "content_usage"]
    assert not any(evidence.refuses for evidence in found)
    assert max(len(evidence.value) for evidence in found) <= 500


def test_a_reservation_is_anything_but_zero() -> None:
    assert _refused([("tdm-reservation", "1")]) == ["tdm_reservation"]
    assert _refused([("tdm-reservation", "yes")]) == ["tdm_reservation"]
    assert _refused([("tdm-reservation", "")]) == ["tdm_reservation"]
    assert _refused([("tdm-reservation", " 0 ")]) == []


def test_the_meta_element_of_a_page_overrules_its_header_both_ways() -> None:
    assert _refused([("tdm-reservation", "1")], [("tdm-reservation", "0")]) == []
    assert _refused([("tdm-reservation", "0")], [("TDM-Reservation", "1")]) == ["tdm_reservation"]
    assert _refused([("tdm-reservation", "1")], [("tdm-policy", "https://example.org/p")]) == ["tdm_reservation"]


def test_robots_meta_is_evidence_under_its_own_name() -> None:
    assert _refused([], [("robots", "noimageai")]) == ["robots_meta"]
    assert _refused([], [("waon-build", "noindex")]) == ["robots_meta"]
    assert _refused([], [("googlebot", "noindex")]) == []


def test_content_usage_and_content_signal_headers_are_heard() -> None:
    assert _refused([("Content-Usage", "search=y, train-ai=n")]) == ["content_usage"]
    assert _refused([("Content-Signal", "search=yes, ai-train=no")]) == ["content_usage"]
    assert _refused([("Content-Usage", "search=n")]) == []


def test_a_page_of_thousands_of_statements_keeps_few_and_every_refusal_counts() -> None:
    """Each image of a page carries the page's evidence: 3,000 statements on 1,000 images were gigabytes."""
    metas = [("robots", f"index,a{number}") for number in range(3000)] + [("robots", "noai")] * 3000
    found = statements(URL, [], metas)
    assert len(found) <= 2 * MOST
    assert [statement.value for statement in found if statement.refuses] == ["noai"]
