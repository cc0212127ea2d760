"""The site: pages that are written as real ones are, and whose every address is answered."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
from protego import Protego
from selectolax.lexbor import LexborHTMLParser

from waon_build.demo.markup import LICENCE, MARKUPS, PLACEHOLDER
from waon_build.demo.site import Page, Site, pages

PAGES = {page.path: page for page in pages()}
THERE = [page for page in pages() if not page.missing and not page.moved_to]


def header(site: Site, path: str, name: str) -> str:
    return dict(site.answers[path][0].headers).get(name, "")


def text(site: Site, page: Page) -> str:
    return site.answers[page.path][0].body.decode(page.charset)


def tree(site: Site, path: str) -> LexborHTMLParser:
    return LexborHTMLParser(text(site, PAGES[path]))


def test_a_shift_jis_page_says_so_in_its_header_alone(site: Site) -> None:
    body = site.answers["/ikimono/"][0].body
    assert header(site, "/ikimono/", "Content-Type") == "text/html; charset=Shift_JIS"
    assert "錦鯉".encode("shift_jis") in body
    assert b"charset" not in body
    with pytest.raises(UnicodeDecodeError):
        body.decode("utf-8")


def test_an_euc_jp_page_says_so_in_a_meta_element_alone(site: Site) -> None:
    body = site.answers["/tatemono/"][0].body
    assert header(site, "/tatemono/", "Content-Type") == "text/html"
    assert b'<meta charset="EUC-JP">' in body
    assert "五重塔".encode("euc_jp") in body
    with pytest.raises(UnicodeDecodeError):
        body.decode("utf-8")


def test_a_utf_8_page_says_nothing_of_its_charset(site: Site) -> None:
    assert header(site, "/keshiki/2/", "Content-Type") == "text/html"
    assert b"charset" not in site.answers["/keshiki/2/"][0].body


def test_languages_are_declared_and_once_each_way_wrongly(site: Site) -> None:
    said = {path: tree(site, path).root.attributes["lang"] for path in ("/", "/en/", "/zh/", "/shizen/", "/visitors/")}
    assert said == {"/": "ja", "/en/": "en", "/zh/": "zh-CN", "/shizen/": "en", "/visitors/": "ja"}
    assert re.search("[ぁ-ん]", PAGES["/shizen/"].lead)
    assert not re.search("[ぁ-ん]", PAGES["/visitors/"].lead)


def test_every_markup_stands_on_some_page() -> None:
    assert {figure.markup for page in pages() for figure in page.figures} == set(MARKUPS)


def test_a_lazy_image_has_a_placeholder_its_true_address_and_a_fallback(site: Site) -> None:
    images = tree(site, "/kurashi/").css("img")
    lazy, fallback = images[0], images[1]
    assert lazy.attributes["src"] == PLACEHOLDER
    assert lazy.attributes["data-src"] == fallback.attributes["src"] == "/img/plain/tram.jpg"
    assert fallback.parent.tag == "noscript"


def test_a_srcset_and_a_picture_name_a_smaller_copy_too(site: Site) -> None:
    image = tree(site, "/gyoji/").css_first("img")
    assert image.attributes["srcset"] == "/img/small/lanterns.jpg 320w, /img/plain/lanterns.jpg 640w"
    source = tree(site, "/tabemono/").css_first("picture source")
    assert source.attributes["srcset"] == "/img/plain/ramen.jpg 640w"


def test_a_page_with_a_base_has_relative_addresses(site: Site) -> None:
    page = tree(site, "/keshiki/")
    assert page.css_first("base").attributes["href"] == "/img/plain/"
    assert page.css_first("img").attributes["src"] == "fuji.jpg"


def test_some_pages_link_to_their_licence(site: Site) -> None:
    assert tree(site, "/gyoji/").css_first('a[rel="license"]').attributes["href"] == LICENCE
    assert tree(site, "/").css_first('a[rel="license"]') is None


@pytest.mark.parametrize("page", THERE, ids=[page.path for page in THERE])
def test_every_address_on_a_page_is_answered(site: Site, page: Page) -> None:
    """Whatever a page shows or links to is there, unless the page is about its not being there."""
    html = LexborHTMLParser(text(site, page))
    base = urljoin(f"{site.url}{page.path}", page.base)
    addresses = {urljoin(base, link.attributes["href"]) for link in html.css("a[href]")}
    for image in html.css("img, source"):
        attributes = image.attributes
        written = [attributes.get("src"), attributes.get("data-src")]
        written += [one.split()[0] for one in (attributes.get("srcset") or "").split(",") if one]
        addresses |= {urljoin(base, one) for one in written if one}
    origins = {site.url: site.answers, site.slow_url: site.slow_answers}
    for address in addresses:
        split = urlsplit(address)
        origin = f"{split.scheme}://{split.netloc}"
        if origin in origins:
            assert split.path in origins[origin], address
        else:
            assert split.scheme == "data" or address in (LICENCE, "https://example.org/"), address


def test_no_picture_lies_on_another_machine(site: Site) -> None:
    for page in THERE:
        for image in LexborHTMLParser(text(site, page)).css("img[src]"):
            source = image.attributes["src"] or ""
            assert source.startswith(("/", "data:", site.slow_url)) or "//" not in source


def test_robots_txt_keeps_robots_from_a_corner_and_names_the_sitemap(site: Site) -> None:
    robots = Protego.parse(site.answers["/robots.txt"][0].body.decode())
    assert list(robots.sitemaps) == [f"{site.url}/sitemap.xml"]
    for path, allowed in {
        "/": True,
        "/img/plain/koi.jpg": True,
        "/himitsu/": False,
        "/img/himitsu/temari.jpg": False,
    }.items():
        assert robots.can_fetch(f"{site.url}{path}", "waon-build") is allowed
    assert not robots.can_fetch(f"{site.url}/", "GPTBot")


def test_one_page_is_known_to_the_sitemap_alone(site: Site) -> None:
    assert f"<loc>{site.url}/dento/</loc>".encode() in site.answers["/sitemap.xml"][0].body
    assert not any("/dento/" in text(site, page) for page in THERE)


def test_one_page_is_two_clicks_away(site: Site) -> None:
    linking = [page.path for page in THERE if 'href="/keshiki/2/"' in text(site, page)]
    assert linking == ["/keshiki/"]


def test_pages_that_refuse_say_so(site: Site) -> None:
    meta = tree(site, "/sakka/").css_first('meta[name="robots"]')
    assert meta.attributes["content"] == "noai, noimageai"
    assert header(site, "/sakka/kotoba/", "X-Robots-Tag") == "noai"
    assert b"/img/reserved/*" in site.answers["/.well-known/tdmrep.json"][0].body


def test_what_the_site_forbids_is_there_and_forbidden(site: Site) -> None:
    """Otherwise nobody could be caught asking for it."""
    forbidden = {path for path in site.answers if site.forbids(path)}
    assert forbidden == {
        "/himitsu/", "/img/himitsu/temari.jpg", "/img/reserved/bonsai.jpg", "/img/refused/tsukimi.jpg",
        "/img/refused/sand_garden.jpg", "/img/refused/wind_bell.jpg",
    }  # fmt: skip


def test_a_page_is_missing_and_another_has_moved(site: Site) -> None:
    assert site.answers["/nai/"][0].status == 404
    assert (site.answers["/kyu/"][0].status, header(site, "/kyu/", "Location")) == (301, "/")


def test_personal_data_on_the_site_is_nobodys() -> None:
    """The telephone number and the postal code are of zeros; the mail address is in a reserved domain."""
    captions = " ".join(figure.caption for page in pages() for figure in page.figures)
    assert re.findall(r"0\d{1,3}-\d{3,4}-\d{4}", captions) == ["090-0000-0000"]
    assert re.findall(r"〒\S+", captions) == ["〒000-0000"]
    assert re.findall(r"@(\S+?)\s", captions) == ["example.jp"]
