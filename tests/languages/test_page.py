"""The language of a page, from what it declares and what it says."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.languages import page_language

JAPANESE = "今日は天気がいいので、公園で桜の写真をたくさん撮りました。来週も行きたいと思います。"
CHINESE = "今天天气很好，我们去公园拍了很多樱花的照片。下个星期我还想再去一次，因为那里的风景非常漂亮。"
TRADITIONAL = "今天天氣很好，我們去公園拍了很多櫻花的照片。下個星期我還想再去一次，因為那裡的風景非常漂亮。"
KOREAN = "오늘은 날씨가 좋아서 공원에서 벚꽃 사진을 많이 찍었습니다. 다음 주에도 가고 싶습니다."
ENGLISH = "The weather was fine today, so we went to the park and took many pictures of the cherry trees."
RUSSIAN = "Сегодня была хорошая погода, поэтому мы пошли в парк и сделали много фотографий сакуры."


@pytest.mark.parametrize("declared", [[], ["en"], ["zh-CN"], ["ja"], ["", "xx-invalid-!"]])
@pytest.mark.parametrize(
    ("text", "code"),
    [(JAPANESE, "ja"), (CHINESE, "zh"), (TRADITIONAL, "zh"), (KOREAN, "ko"), (ENGLISH, "en"), (RUSSIAN, "ru")],
)
def test_clear_text_wins_over_any_declaration(text: str, code: str, declared: list[str]):
    assert page_language(declared, text * 2) == code


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        (["ja"], "ja"),
        (["ja-JP"], "ja"),
        (["ja_JP.UTF-8"], "ja"),
        (["JA"], "ja"),
        (["jp"], "ja"),
        (["zh-Hant-TW"], "zh"),
        (["", "ja, en"], "ja"),
        (["  ", "und", "zh"], "zh"),
        (["nonsense", "ko"], "ko"),
        ([], ""),
    ],
)
def test_a_declaration_decides_where_kanji_alone_is_all_there_is(declared: list[str], code: str):
    assert page_language(declared, "東京都庁舎 展望室 会議室") == code


@pytest.mark.parametrize("declared", ["tg", "ba", "tt", "ja", "en"])
def test_a_declaration_decides_a_page_without_text(declared: str):
    assert page_language([declared], "") == declared


def test_kana_beats_a_declaration_even_in_a_short_text():
    assert page_language(["en"], "桜のきれいな公園") == "ja"


def test_a_chinese_page_with_some_japanese_names_stays_chinese():
    assert page_language([], CHINESE * 3 + "ドラえもん") == "zh"


def test_an_english_page_with_a_japanese_name_stays_english():
    assert page_language(["en"], ENGLISH * 4 + " さくら") == "en"


def test_a_page_of_another_cyrillic_language_keeps_its_declaration_where_the_model_is_unsure():
    """lid.176 is weak beside Russian: short Tajik is read as anything. Packs will know more."""
    assert page_language(["tg"], "Ҳамаи одамон озод ба дунё меоянд") == "tg"


def test_only_the_beginning_of_a_long_text_is_looked_at():
    assert page_language([], JAPANESE * 100 + ENGLISH * 10_000) == "ja"


@given(
    st.lists(st.text(alphabet=st.characters(), max_size=20), max_size=4),
    st.text(alphabet=st.characters(), max_size=300),
)
def test_any_page_has_a_subtag_or_none(declared: list[str], text: str):
    code = page_language(declared, text)
    assert code == "" or (2 <= len(code) <= 3 and code.isascii() and code.islower())


@pytest.mark.parametrize(
    ("declares", "floor"),
    [
        ("its language", {"": 0.99}),
        ("nothing", {"": 0.95, "tg": 0.8, "ky": 0.85}),
        ("en or ja, wrongly", {"": 0.9, "tg": 0.8, "ky": 0.85}),
    ],
)
def test_pages_of_ten_sentences_are_told_apart(shared_data: Path, declares: str, floor: dict[str, float]):
    """Ten sentences or messages of one source make a page. Cantonese counts as told when it is called
    Chinese: the gate treats both alike. Tajik and Kyrgyz are what lid.176 is known to be weak at."""
    sources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in (shared_data / "text" / "lid.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        language, kind, source, text = line.split("\t")
        if kind != "caption":
            sources[language, source].append(text)
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for (language, _), texts in sources.items():
        wrong = "en" if language != "en" else "ja"
        declared = {"its language": [language], "nothing": []}.get(declares, [wrong])
        for first in range(0, len(texts) - 9, 10):
            code = page_language(declared, " ".join(texts[first : first + 10]))
            told[language]["yue" if (language, code) == ("yue", "zh") else code] += 1
    for language, counts in sorted(told.items()):
        right = counts[language] / counts.total()
        print(f"page declares {declares}: {language}: {right:.3f} of {counts.total()}", dict(counts))
        assert right >= floor.get(language, floor[""]), language
