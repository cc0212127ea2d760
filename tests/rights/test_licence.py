"""Licence links: what the page declares."""

from __future__ import annotations

from waon_build.rights import licence_url

CC = "https://creativecommons.org/licenses/by/4.0/deed.ja"


def test_rel_license_comes_first_even_when_a_known_licence_stands_before_it() -> None:
    assert licence_url([("", CC), ("noopener License", "/terms.html")]) == "/terms.html"


def test_without_rel_license_the_first_known_licence_counts() -> None:
    assert licence_url([("", "https://example.org/"), ("nofollow", CC), ("", CC.replace("by", "by-sa"))]) == CC
    assert (
        licence_url([("", "//creativecommons.org/publicdomain/zero/1.0/")])
        == "//creativecommons.org/publicdomain/zero/1.0/"
    )
    assert licence_url([("", "http://rightsstatements.org/vocab/NoC-US/1.0/")]) != ""


def test_a_link_to_the_host_of_licences_alone_is_none() -> None:
    assert (
        licence_url(
            [("", "https://creativecommons.org/"), ("", "https://creativecommons.org.evil.example/licenses/by/4.0/")]
        )
        == ""
    )
    assert licence_url([("", "https://example.org/?u=https://creativecommons.org/licenses/by/4.0/")]) == ""


def test_links_that_lead_nowhere_are_none() -> None:
    assert licence_url([("license", "#"), ("license", " "), ("license", "javascript:void(0)")]) == ""
    assert licence_url([]) == ""
