"""Personal data as Japan writes it. All numbers here are made up; 03-1234-5678 is nobody's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build import languages
from waon_build.languages.japanese_personal import check_digit_fits, has_my_number, has_phone


def kind(text: str) -> str:
    japanese = languages.get("ja")
    return japanese.personal_data(japanese.normalise(text))


@pytest.mark.parametrize(
    "text",
    [
        "03-1234-5678",
        "お電話は03-1234-5678まで",
        "TEL.03-1234-5678",
        "Tel:0466-12-3456(代表)",
        "FAX03-1234-5678",
        "(03)1234-5678",
        "03(1234)5678",
        "０３ー１２３４ー５６７８",
        "03−1234−5678",
        "090-1234-5678",
        "090 1234 5678",
        "09012345678",
        "+81-90-1234-5678",
        "+81 3 1234 5678",
        "0120-123-456",
        "0800-123-4567",
        "050-1234-5678",
    ],
)
def test_a_telephone_number_is_found(text: str):
    assert kind(text) == "phone"


@pytest.mark.parametrize(
    "text",
    [
        "2019-2020",
        "1998-2003年の写真",
        "2024-01-02",
        "01-02-2024 12:34",
        "12,000円",
        "1,234,567,890円",
        "AB-0312-4567-89",
        "型番 0123-456-789",
        "ISBN 978-4-06-519981-7",
        "JAN 4901234567894",
        "注文番号 1234567890",
        "03-12",
        "100-200-3000",
        "緯度 35.0123456789",
        "0.0123456789",
        "第03-123号",
        "12-34-5678",
        "030-1234-5678-9012",
    ],
)
def test_years_prices_and_codes_are_no_telephone_numbers(text: str):
    assert kind(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "〒160-0023",
        "〒1600023 新宿",
        "東京都新宿区西新宿2-8-1",
        "東京都新宿区西新宿2丁目8番1号",
        "東京都新宿区西新宿二丁目八番一号",
        "神奈川県横浜市中区日本大通1-2",
        "北海道札幌市中央区北三条西六丁目6番地",
        "長野県松本市丸の内4番1号",
        "店舗は 京都府京都市東山区清水1丁目294 です",
        "沖縄県国頭郡恩納村字恩納2451番地",
    ],
)
def test_a_postal_address_is_found(text: str):
    assert kind(text) == "postal_address"


@pytest.mark.parametrize(
    "text",
    [
        "東京都新宿区の夜景",
        "東京都千代田区三番町の桜",
        "京都府京都市 2019-2020",
        "京都府京都市 2024-05-03",
        "大阪府大阪市の人口は275万人",
        "東京都港区の地図 1番",
        "〒マーク",
        "北海道 1-2",
        "千葉県市川市二丁目の夏祭り",
        "神奈川県で1番の海水浴場",
    ],
)
def test_a_place_without_a_house_number_is_no_address(text: str):
    assert kind(text) == ""


@pytest.mark.parametrize(
    "text", ["123456789018", "1234-5678-9018", "1234 5678 9018", "マイナンバー１２３４５６７８９０１８です"]
)
def test_a_my_number_with_a_valid_check_digit_is_found(text: str):
    assert kind(text) == "national_number"


@pytest.mark.parametrize(
    "text",
    [
        "123456789010",
        "1234-5678 9018",
        "2019 2020 2021",
        "4123456789018",
        "AB123456789018",
        "1234-5678-9018-0000",
        "123456789018.5",
    ],
)
def test_other_numbers_of_about_twelve_digits_are_no_my_number(text: str):
    assert kind(text) == ""


def test_a_point_in_time_is_no_my_number_even_if_its_check_digit_fits():
    moments = [f"2024{month:02}{day:02}{hour:02}30" for month in range(1, 13) for day in (1, 15) for hour in range(24)]
    fitting = [moment for moment in moments if check_digit_fits(moment)]
    assert len(fitting) > 20
    assert not any(map(has_my_number, fitting))


@given(st.integers(0, 10**11 - 1))
def test_eleven_digits_have_exactly_one_check_digit(number: int):
    assert sum(check_digit_fits(f"{number:011}{digit}") for digit in range(10)) == 1


@given(st.integers(0, 10**11 - 1), st.integers(0, 10), st.integers(1, 9))
def test_a_slip_in_one_digit_spoils_nearly_every_my_number(number: int, place: int, change: int):
    """The check digit is 0 for two remainders, so that a slip is missed only where both give 0."""
    digits = next(f"{number:011}{digit}" for digit in range(10) if check_digit_fits(f"{number:011}{digit}"))
    slipped = digits[:place] + str((int(digits[place]) + change) % 10) + digits[place + 1 :]
    assert not check_digit_fits(slipped) or digits[11] == "0"


@given(st.text(alphabet="0123456789-() .,+〒丁目番地東京都港区", max_size=200))
def test_any_mixture_of_digits_and_marks_is_judged(text: str):
    assert kind(text) in {"", "phone", "postal_address", "national_number"}
    assert has_phone(text) in {True, False}
