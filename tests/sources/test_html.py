"""One page to candidates: every image with every caption, and nothing from a page that says no."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from urllib.parse import quote, unquote, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.recipe import ExtractSettings
from waon_build.sources import declared, html, references
from waon_build.sources.addresses import absolute, address, in_srcset
from waon_build.sources.html import read_page
from waon_build.sources.references import Page

TALK = "<p>このページは日本の風景について書かれています。夕暮れの海辺を歩きながら撮影した写真をご覧ください。</p>"
HTML = [("Content-Type", "text/html; charset=utf-8")]


def read(body: str, url: str = "http://a.example/dir/page.html", headers: list[tuple[str, str]] = HTML) -> Page:
    page = f'<html lang="ja"><head><title>風景</title></head><body>{TALK}{body}</body></html>'
    return read_page(url, headers, page.encode(), "ja", ExtractSettings())


def pairs(page: Page) -> list[tuple[str, str, str]]:
    return [(found.url, found.caption, found.caption_source) for found in page.candidates]


@pytest.mark.parametrize(
    ("markup", "url"),
    [
        ('<img src="a.jpg" alt="鳥居">', "http://a.example/dir/a.jpg"),
        ('<img src="/a.jpg#x" alt="鳥居">', "http://a.example/a.jpg"),
        ('<img src="//b.example/a.jpg" alt="鳥居">', "http://b.example/a.jpg"),
        ('<img src="写真 1.jpg" alt="鳥居">', "http://a.example/dir/" + quote("写真") + "%201.jpg"),
        ('<img src="data:image/gif;base64,R0" data-src="a.jpg" alt="鳥居">', "http://a.example/dir/a.jpg"),
        ('<img src="blank.gif" data-original="a.jpg" alt="鳥居">', "http://a.example/dir/a.jpg"),
        ('<img src="s.jpg" srcset="s.jpg 320w, l.jpg 1280w" alt="鳥居">', "http://a.example/dir/l.jpg"),
        ('<img src="s.jpg" srcset="s.jpg, l.jpg 2x" alt="鳥居">', "http://a.example/dir/l.jpg"),
        ('<img src="s.jpg" data-srcset="s.jpg 320w, l,1.jpg 640w" alt="鳥居">', "http://a.example/dir/l,1.jpg"),
        (
            '<picture><source srcset="l.webp 1600w"><img src="s.jpg" alt="鳥居"></picture>',
            "http://a.example/dir/l.webp",
        ),
        ('<img src="http://例え.example/a.jpg" alt="鳥居">', "http://xn--r8jz45g.example/a.jpg"),
        ('<img src="HTTP://b.example/a.jpg" alt="鳥居">', "http://b.example/a.jpg"),
        ('<img src="s.jpg" srcset="s.jpg .5x, l.jpg 2x" alt="鳥居">', "http://a.example/dir/l.jpg"),
        ('<img src="a.jpg" data-url="/articles/12" alt="鳥居">', "http://a.example/dir/a.jpg"),
        ('<img src="a.jpg" data-image="v1.2" alt="鳥居">', "http://a.example/dir/a.jpg"),
        ('<img src="a.jpg" data-lazy="false/1.0" alt="鳥居">', "http://a.example/dir/a.jpg"),
        ("<img src='a.jpg' data-original='{\"w\": 1.5}' alt='鳥居'>", "http://a.example/dir/a.jpg"),
        ('<img src="blank.gif" data-url="l.jpg" alt="鳥居">', "http://a.example/dir/l.jpg"),
        ('<img src="blank.gif" data-lazyload="l.jpg" alt="鳥居">', "http://a.example/dir/l.jpg"),
        ('<img src="blank.gif" data-cfsrc="l.jpg" alt="鳥居">', "http://a.example/dir/l.jpg"),
        (
            '<picture><source type="image/jxl" srcset="l.jxl 1600w"><source srcset="m.webp 800w" type="image/webp">'
            '<img src="s.jpg" alt="鳥居"></picture>',
            "http://a.example/dir/m.webp",
        ),
        ('<amp-img src="a.jpg" alt="鳥居" width="300" height="200"></amp-img>', "http://a.example/dir/a.jpg"),
    ],
)
def test_the_address_is_the_largest_true_one_joined_to_the_page(markup: str, url: str) -> None:
    assert pairs(read(markup)) == [(url, "鳥居", "alt")]


def test_a_base_element_moves_relative_addresses() -> None:
    page = read('<base href="https://cdn.example/img/"><img src="a.jpg" alt="鳥居">')
    assert pairs(page) == [("https://cdn.example/img/a.jpg", "鳥居", "alt")]


def test_a_figure_caption_comes_first_and_another_alternative_text_is_a_candidate_too() -> None:
    page = read('<figure><a><img src="a.jpg" alt="鳥居"></a><figcaption>夕暮れの <b>大鳥居</b></figcaption></figure>')
    url = "http://a.example/dir/a.jpg"
    assert pairs(page) == [(url, "夕暮れの 大鳥居", "figcaption"), (url, "鳥居", "alt")]
    same = read('<figure><img src="a.jpg" alt="鳥居"><figcaption>鳥居</figcaption></figure>')
    assert pairs(same) == [(url, "鳥居", "figcaption")]


def test_a_figure_caption_says_what_a_reader_sees() -> None:
    page = read(
        "<figure><img src='a.jpg'><figcaption>東京駅<script>var a=1;</script><style>.x{}</style>"
        "<noscript>画像を表示</noscript></figcaption></figure>"
    )
    assert pairs(page) == [("http://a.example/dir/a.jpg", "東京駅", "figcaption")]


def test_an_icon_within_a_figure_caption_is_not_what_it_speaks_of() -> None:
    page = read("<figure><img src='a.jpg'><figcaption>東京駅 <img src='zoom.png'></figcaption></figure>")
    assert pairs(page) == [("http://a.example/dir/a.jpg", "東京駅", "figcaption")]
    all_in_one = read("<figure><figcaption><img src='a.jpg'> 東京駅</figcaption></figure>")
    assert pairs(all_in_one) == [("http://a.example/dir/a.jpg", "東京駅", "figcaption")]


def test_a_place_for_a_script_to_fill_is_no_image() -> None:
    assert [reason for _, reason in read('<img src="#" alt="鳥居">').dropped] == [references.NO_ADDRESS]


def test_a_title_speaks_where_nothing_else_does() -> None:
    assert pairs(read('<img src="a.jpg" title="鳥居">'))[0][2] == "title"
    assert [source for _, _, source in pairs(read('<img src="a.jpg" alt="門" title="鳥居">'))] == ["alt"]


def test_a_lazy_image_and_its_noscript_copy_are_one_candidate() -> None:
    page = read('<img data-src="a.jpg" alt="鳥居"><noscript><img src="a.jpg" alt="鳥居"></noscript>')
    assert len(page.candidates) == 1
    assert [reason for _, reason in page.dropped] == [references.REPEATED_ON_PAGE]


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ('<img src="a.jpg">', references.NO_CAPTION),
        ('<img src="a.jpg" alt="  ">', references.NO_CAPTION),
        ('<img alt="鳥居">', references.NO_ADDRESS),
        ('<img src="http://[bad/a.jpg" alt="鳥居">', references.NO_ADDRESS),
        ('<img src="data:image/png;base64,AA" alt="鳥居">', references.INLINE_IMAGE),
        ('<img src="ftp://a.example/a.jpg" alt="鳥居">', references.NOT_HTTP),
        ('<img src="javascript:alert(1)" alt="鳥居">', references.NOT_HTTP),
        ('<img src="a.gif" alt="鳥居" width="1" height="1">', references.TRACKING_PIXEL),
    ],
)
def test_an_image_that_cannot_be_a_candidate_leaves_its_reason(markup: str, reason: str) -> None:
    page = read(markup)
    assert page.candidates == []
    assert [why for _, why in page.dropped] == [reason]


def test_the_text_around_an_image_is_kept_and_no_mark_of_ours_is_left_in_it() -> None:
    found = read(
        '<p>前の文です。</p><img src="a.jpg" alt="鳥居"><img src="b.jpg" alt="門"><p>後の文です。</p>'
    ).candidates
    for candidate in found:
        assert "前の文です" in candidate.context
        assert "後の文です" in candidate.context
        assert not any("\ue000" <= char <= "\ue001" for char in candidate.context)
        assert len(candidate.context) <= 201


def test_scripts_and_styles_are_not_text() -> None:
    found = read('<script>var こ=1</script><style>p{}</style><img src="a.jpg" alt="鳥居">').candidates
    assert "var" not in found[0].context
    assert "p{}" not in found[0].context


def test_a_licence_link_goes_with_every_candidate() -> None:
    page = read('<img src="a.jpg" alt="鳥居"><a rel="license" href="//creativecommons.org/licenses/by/4.0/">CC</a>')
    assert page.candidates[0].licence_url == "http://creativecommons.org/licenses/by/4.0/"
    assert read('<img src="a.jpg" alt="鳥居">').candidates[0].licence_url == ""


@pytest.mark.parametrize(
    "refusal",
    ['<meta name="robots" content="noai">', '<META NAME="Robots" CONTENT="index, NOIMAGEAI">',
     '<meta name="tdm-reservation" content="1">', '<meta name="waon-build" content="none">'],
)  # fmt: skip
def test_a_page_that_refuses_gives_nothing(refusal: str) -> None:
    page = read(f'{refusal}<img src="a.jpg" alt="鳥居">')
    assert (page.reason, page.candidates, page.dropped) == (declared.PAGE_REFUSED, [], [])


def test_a_page_refused_by_header_gives_nothing_and_an_allowed_one_keeps_the_evidence() -> None:
    refused = read('<img src="a.jpg" alt="鳥居">', headers=[*HTML, ("X-Robots-Tag", "noimageai")])
    assert refused.reason == declared.PAGE_REFUSED
    allowed = read('<meta name="robots" content="max-image-preview:large"><img src="a.jpg" alt="鳥居">')
    assert [evidence.signal for evidence in allowed.candidates[0].rights] == ["robots_meta"]


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("http://a.example/", "<html lang='en'><p>The quick brown fox jumps over the lazy dog, again and again.</p>"),
        (
            "http://a.example/",
            "<html lang='ja'><p>故宫博物院位于北京市中心，是中国明清两代的皇家宫殿，旧称紫禁城。</p>" * 3,
        ),
        ("http://a.example/en/x.html", f"<html lang='ja'>{TALK}"),
        ("http://a.example/zh-CN/x.html", f"<html lang='ja'>{TALK}"),
    ],
)
def test_a_page_in_another_language_gives_nothing(url: str, body: str) -> None:
    page = read_page(url, HTML, f"{body}<img src=a.jpg alt=x>".encode(), "ja", ExtractSettings())
    assert page.reason == declared.PAGE_IN_ANOTHER_LANGUAGE


def test_a_japanese_page_under_a_wrong_declaration_is_read() -> None:
    body = f"<html lang='en'>{TALK * 2}<img src=a.jpg alt=鳥居>"
    assert len(read_page("http://a.example/", HTML, body.encode(), "ja", ExtractSettings()).candidates) == 1


def test_a_page_hidden_in_character_references_is_read() -> None:
    body = (
        "<html lang=ja>" + "".join(f"&#{ord(char)};" for char in TALK[3:-4]) + "<img src=a.jpg alt='&#x9ce5;&#x5c45;'>"
    )
    assert pairs(read_page("http://a.example/", HTML, body.encode(), "ja", ExtractSettings()))[0][1] == "鳥居"


@pytest.mark.parametrize(
    "hostile",
    [
        "<div>" * 200_000,
        "<img src=a alt=あ>" * 50_000,
        f'<img alt=あ src=a.jpg srcset="{"a 1w," * 100_000}">',
        f'<img alt=あ src="{"a" * 1_000_000}">',
        "\x00\ud83d<img src=\x00a.jpg alt='\x00鳥居\ue0001\ue001'>",
        "<div " + " ".join(f"a{n}=1" for n in range(40_000)) + ">",
        "<p>" + "".join(f"<b a{n}>" for n in range(3_000)) + "</p>" + "<p>x" * 3_000,
        "<span>" * 20_000 + "</p>" * 20_000,
        "<ul><li>" * 20_000,
        "<figure>" * 5_000 + "<figcaption>あ</figcaption><img src=a.jpg>",
        "<figure><figcaption>あ</figcaption>" * 2_000 + "<img src=a.jpg>" * 20_000,
        "<figure>" * 900 + "<figcaption>" + "あ" * 1_000_000 + "</figcaption><img src=a.jpg>",
        "<figure><figcaption><img src=a.jpg>" * 2_000 + "あ" * 1_000_000,
        "<picture>" + "<source srcset=a.jpg>" * 10_000 + "<img src=a.jpg alt=あ>" * 1_000,
        "<div><!--</div>-->" * 60_000,
        "<style><!--</style><div><!--</div>--></style>" * 60_000,
        "<div><table></div></table>" * 60_000,
        "<div title='</div>'>" * 60_000,
        "<!--" * 1_000_000,
        "<a href='" * 500_000,
        "<script>" * 500_000,
        "<b><table></b></table>" * 3_000 + "<p>x" * 3_000,
        "<div><b></div>" * 3_000 + "<p>x" * 3_000,
        "<div><table>" + "<span>" * 4_900 + "</div>" * 500_000,
        "<img>" * 1_000_000,
    ],
    ids=[
        "nested",
        "images",
        "srcset",
        "address",
        "nulls",
        "attributes",
        "formatting",
        "spans",
        "lists",
        "figures",
        "captioned figures",
        "long caption",
        "captions in captions",
        "sources",
        "comments",
        "raw text",
        "tables",
        "quotes",
        "open comments",
        "open quotes",
        "scripts",
        "formatting in tables",
        "formatting in blocks",
        "closings",
        "empty images",
    ],
)
def test_a_hostile_page_ends_in_bounded_time_and_number(hostile: str) -> None:
    body = f"<html lang=ja>{TALK}{hostile}".encode("utf-8", "surrogatepass")
    started = time.monotonic()
    page = read_page("http://a.example/", HTML, body, "ja", ExtractSettings())
    assert len(page.candidates) <= ExtractSettings().max_candidates_per_page
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "ordinary",
    [
        "<div><p>文<b>字</b><br></div>" * 20_000,
        "<ul>" + "<li><a href=x>文</a>" * 20_000 + "</ul>",
        "<table>" + "<tr><td><font size=2>文</font>" * 20_000 + "</table>",
        "<div><!-- <div><table> --><i>文</div>" * 100 + "<div>文</div>" * 20_000,
        "<div><script>document.write('<script src=x><\\/script><div>')</script></div>" * 5_000,
        "<section><b><div>文</b></div></section>" * 400 + "<div>文</div>" * 5_000,
    ],
)
def test_a_long_page_of_ordinary_or_careless_markup_is_read(ordinary: str) -> None:
    assert len(read(ordinary + '<img src="a.jpg" alt="鳥居">').candidates) == 1


def test_images_beyond_the_limit_are_counted_and_some_of_them_shown() -> None:
    page = read('<img src="a.jpg">' * 5_000)
    assert len(page.dropped) + page.beyond == 5_000
    assert [why for _, why in page.dropped].count(references.TOO_MANY_ON_PAGE) == 100


def test_a_caption_or_title_is_cut_where_nobody_would_read_on() -> None:
    long = "あ" * 100_000
    page = read(
        f'<figure><img src=a.jpg alt="{long}い"><figcaption>{long}</figcaption></figure><img src=b title={long}>'
    )
    assert {len(found.caption) for found in page.candidates} == {4_000}
    titled = f"<html lang=ja><title>{long}</title>{TALK}<img src=a.jpg alt=鳥居>".encode()
    assert len(read_page("http://a.example/", HTML, titled, "ja", ExtractSettings()).candidates[0].page_title) == 4_000


def test_of_nested_figures_the_innermost_with_a_caption_counts() -> None:
    page = read(
        "<figure><figcaption>外</figcaption><img src=a.jpg><figure><img src=b.jpg><figcaption>内</figcaption></figure>"
        "<figure><img src=c.jpg></figure><figure><figcaption> </figcaption><img src=d.jpg></figure></figure>"
    )
    assert [caption for _, caption, _ in pairs(page)] == ["外", "内", "外", "外"]


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/tt/1.html",
        "http://a.example/bags/de/",
        "http://a.example/x?to=/en/",
        "http://a.example/en-kai/",
        "http://a.example/words/ko",
        "http://a.example" + "/" * 100_000,
    ],
)
def test_a_folder_that_may_mean_something_else_files_no_page(url: str) -> None:
    started = time.monotonic()
    assert len(read('<img src="/a.jpg" alt="鳥居">', url).candidates) == 1
    assert time.monotonic() - started < 1


def test_a_backslash_in_a_path_is_a_slash() -> None:
    assert absolute("img\\a.jpg?q=\\", "http://a.example/d/") == "http://a.example/d/img/a.jpg?q=\\"
    assert absolute("data:a\\b", "http://a.example/d/") == "data:a\\b"


def test_a_page_beyond_the_limit_is_not_read() -> None:
    settings = ExtractSettings(max_page_bytes=100)
    assert read_page("http://a.example/", HTML, TALK.encode() * 9, "ja", settings).reason == html.PAGE_TOO_LARGE


@given(st.text(max_size=300))
def test_no_markup_crashes_the_reader(markup: str) -> None:
    page = read(markup.encode("utf-8", "replace").decode())
    for candidate in page.candidates:
        candidate.url.encode("ascii")


@given(st.text(max_size=100), st.text(max_size=50))
def test_an_address_is_ascii_or_none(url: str, base: str) -> None:
    found = absolute(url, f"http://a.example/{base}")
    assert found is None or found.isascii() or not found.startswith("http")


@given(st.text(alphabet="a, 12wx.h\t", max_size=60))
def test_a_srcset_never_loops_and_its_addresses_have_no_spaces(srcset: str) -> None:
    for url, size in in_srcset(srcset):
        assert url.split() in ([url], [])
        assert size >= 0
    assert address({"src": "a", "srcset": srcset}, []) != " "


SITES = [
    "haskell-jp-blog", "pyconjp-2018", "railsguides-jp", "rpi-boat-race", "rpi-cats", "rpi-chatbot",
    "rpi-getting-started-with-picamera", "text-baldanders-info",
]  # fmt: skip


@pytest.mark.parametrize("site", SITES)
def test_every_japanese_pair_of_a_real_site_is_found_and_none_of_another_language(shared_data: Path, site: str) -> None:
    """Recall 1.0 against the truth of an independent parser, by alternative text or figure caption."""
    truth = json.loads((shared_data / "sites" / f"{site}.expected.json").read_text(encoding="utf-8"))
    languages = {pair["page"]: pair["page_lang"] for pair in truth["pairs"]}
    found: dict[str, set[str]] = {}
    for path, language in languages.items():
        body = (shared_data / "sites" / site / path).read_bytes()
        page = read_page(f"http://h.example/{quote(path)}", [], body, "ja", ExtractSettings())
        if language != "ja":
            assert page.candidates == [], path
        found[path] = {unquote(candidate.url) for candidate in page.candidates}
    wanted = [
        pair
        for pair in truth["pairs"]
        if pair["page_lang"] == "ja"
        and pair["where"] == "local"
        and set(pair["alt_script"] + pair["cap_script"]) & set("kh")
    ]
    assert wanted
    missing = [pair["src"] for pair in wanted if f"http://h.example/{pair['file']}" not in found[pair["page"]]]
    assert missing == []


@given(
    st.sampled_from(
        ["http://a.example", "http://a.example/", "http://a.example/d/p.html?q=/x/y", "https://a.example/d/../e/"]
    ),
    st.from_regex(r"(https?://b\.example/|//c\.example|/|\./|\.\./|)[a-z0-9%./?:#=-]{0,12}", fullmatch=True),
)
def test_the_short_way_to_join_gives_what_the_standard_way_gives(base: str, url: str) -> None:
    if re.search("[^:/.]//", url):
        return  # urljoin drops empty folders, browsers keep them
    try:
        joined = urljoin(base, url).partition("#")[0]
    except ValueError:
        return
    found = absolute(url, base)
    if found is not None and url:
        assert found == joined


def test_a_picture_without_a_caption_does_not_take_its_neighbours() -> None:
    page = read(
        '<figure class=gallery><figure><img src="a.jpg"><figcaption>鳥居</figcaption></figure>'
        '<figure><img src="b.jpg"></figure></figure>'
    )
    assert [url for url, _, _ in pairs(page)] == ["http://a.example/dir/a.jpg"]


def test_a_caption_is_read_as_one_reads_it() -> None:
    """Elements within a line part no words, and how a word is pronounced is not said twice."""
    markup = "<ruby>夜<rt>や</rt>景<rt>けい</rt></ruby>"
    page = read(f'<figure><img src="a.jpg"><figcaption>東京<b>タワー</b>の{markup}<br>2024年</figcaption></figure>')
    assert pairs(page)[0][1] == "東京タワーの夜景 2024年"


def test_a_page_that_writes_our_marks_as_character_references_is_read() -> None:
    """Of any length: a number of thousands of digits is an error in Python."""
    page = read(f'&#xe000;{"1" * 5000}&#xe001;&#xe000;0&#xe001;<img src="a.jpg" alt="鳥居">&#xe001;')
    assert pairs(page) == [("http://a.example/dir/a.jpg", "鳥居", "alt")]


def test_what_the_parser_does_not_see_hides_no_depth() -> None:
    assert read("<\x00b><p>" * 2_000).reason == "page_too_deep"
    assert read("<\ue000b><p>" * 2_000).reason == "page_too_deep"


@pytest.mark.parametrize("srcset", ["", "\u3000", "&nbsp;", ", ,", "b.jpg 1x, \u3000"])
def test_a_srcset_that_ends_in_nothing_is_read(srcset: str) -> None:
    page = read(f'<img src="a.jpg" srcset="{srcset}" alt="鳥居">')
    assert pairs(page) == [("http://a.example/dir/a.jpg", "鳥居", "alt")]
