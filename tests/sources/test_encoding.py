"""Which characters a page's bytes are: declared first, believed only when it fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.sources import encoding
from waon_build.sources.encoding import decode

TEXT = "<html><head>{}</head><body>東京都庁舎の展望室からの夜景。ﾊﾝｶｸも①も髙も。</body></html>"


@pytest.mark.parametrize("name", ["utf-8", "cp932", "euc_jp", "iso2022_jp_ext"])
@pytest.mark.parametrize("told", ["header", "meta", "nobody", "wrongly"])
def test_a_japanese_page_is_read_whatever_its_encoding_and_whoever_tells(name: str, told: str) -> None:
    text = TEXT if name == "cp932" else TEXT.replace("ﾊﾝｶｸも①も髙も", "")
    label = {"cp932": "Shift_JIS", "iso2022_jp_ext": "iso-2022-jp", "euc_jp": "EUC-JP"}.get(name, name)
    meta = f'<meta charset="{label}">' if told == "meta" else '<meta charset="utf-8">' if told == "wrongly" else ""
    page = text.format(meta)
    header = f"text/html; charset={label}" if told == "header" else ""
    assert decode(page.encode(name), header) == page


def test_a_byte_order_mark_overrules_everything() -> None:
    assert decode(b"\xef\xbb\xbf" + "夜景".encode(), "text/html; charset=shift_jis") == "夜景"
    assert decode(b"\xff\xfe" + "夜景".encode("utf-16-le")) == "夜景"


def test_a_page_with_a_single_bad_byte_is_still_read_as_declared() -> None:
    page = ("<p>" + "鎌倉の大仏。" * 100).encode() + b"\xff" + b"</p>"
    text = decode(page, "text/html; charset=utf-8")
    assert text is not None
    assert text.count("\ufffd") == 1
    assert "鎌倉の大仏" in text


def test_binary_data_is_no_page() -> None:
    assert decode(bytes(range(256)) * 40) is None


@pytest.mark.parametrize("label", ["base64", "rot13", "no-such-thing", "utf-16", "idna"])
def test_a_hostile_charset_is_not_believed(label: str) -> None:
    page = f'<meta charset="{label}"><p>桜並木</p>'
    assert decode(page.encode()) == page


@pytest.mark.parametrize("label", ["unicode-escape", "raw_unicode_escape", "utf-7", "punycode", "undefined", "cp65001"])
def test_a_charset_that_only_python_knows_is_not_believed(label: str) -> None:
    page = b"<p>\\u732b\\ud800 +2AA-</p>"
    assert decode(page, f"text/html; charset={label}") == page.decode()


@pytest.mark.parametrize(
    ("label", "text"),
    [("windows-1251", "Привет"), ("KOI8-R", "Привет"), ("ISO-8859-15", "5 €"), ("big5", "風景"), ("euc-kr", "풍경"),
     ("GBK", "风景"), ("iso-2022-jp-2", "夜景"), ("Shift_JIS", "①髙")],
)  # fmt: skip
def test_a_charset_that_pages_are_in_is_believed(label: str, text: str) -> None:
    codec = {"Shift_JIS": "cp932"}.get(label, label)
    assert decode(text.encode(codec), f"text/html; charset={label}") == text


def test_every_charset_that_is_believed_is_one_that_can_be_read() -> None:
    for name in set(encoding._MEANT.values()):
        assert encoding._READ.fullmatch(name), name
        b"".decode(name)


@given(st.binary(max_size=2000), st.text(max_size=40))
def test_no_bytes_crash_the_reader_or_give_lone_surrogates(body: bytes, header: str) -> None:
    text = decode(body, header)
    if text is not None:
        text.encode("utf-8")


JAPANESE = "<p>" + "清水寺の紅葉と人びとを撮影した写真です。" * 20 + "</p>"


@pytest.mark.parametrize(
    ("label", "codec", "bad"),
    [
        ("EUC-JP", "euc_jp", b"\xff"),
        ("Shift_JIS", "cp932", b"\x81"),
        ("utf-8", "utf-8", b"\xe6\xb8"),  # cut within a character
    ],
)
def test_one_bad_character_does_not_make_a_page_chinese(label: str, codec: str, bad: bytes) -> None:
    """GB 18030 reads nearly any bytes: what the page says of itself comes before a guess."""
    text = decode(JAPANESE.encode(codec) + bad, f"text/html; charset={label}")
    assert text is not None
    assert text.rstrip("\ufffd") == JAPANESE


@pytest.mark.parametrize("header", ["text/html; charset=EUC-JP", ""])
def test_the_characters_of_nec_are_read_in_euc_jp(header: str) -> None:
    page = JAPANESE.encode("euc_jp") + b"\xad\xa1\xad\xea"
    assert decode(page, header) == f"{JAPANESE}①㈱"
