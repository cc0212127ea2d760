"""Personal data as Japan writes it: telephone numbers, postal addresses, My Number.

Forms are strict, so that years, prices and product codes are not taken for them; what a form cannot
tell, the number of digits or the check digit does. All patterns are bounded: time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_MAY_HOLD = re.compile("[0-9〒]|丁目|番地")
_DASH = re.compile(r"(?<=[0-9])[‐‑‒–—―−ー](?=[0-9])")

# 03-1234-5678, (03)1234-5678, 03(1234)5678, 0120-123-456, 090 1234 5678, +81-3-1234-5678, 09012345678.
_PHONE = re.compile(
    r"(?:(?<=tel)|(?<=fax)|(?<![\w/#-])(?<!\d[.,]))(?:\+81[- ]?(?:\(0\))?|\(?0)"
    r"(\d{1,4})(?:[-.() ]{1,2}(\d{1,4})[-.() ]{1,2}(\d{3,4})|(\d{8}))(?![\w-]|[.,]\d)",
    re.ASCII | re.IGNORECASE,
)
_ELEVEN_DIGITS = re.compile("0(?:[5-9]0|20|800)")
_FREE_OF_AREA = ("0120", "0570", "0180", "0990")

_MY_NUMBER = re.compile(r"(?<![\w.,/-])(\d{4})([- ]?)(\d{4})\2(\d{4})(?![\w/-]|[.,]\d)", re.ASCII)
_YEAR = re.compile(r"(?:19|20)\d\d")
_TIMESTAMP = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d")

_POSTAL_CODE = re.compile(r"〒 ?\d{3}-?\d{4}(?!\d)")
_KANJI = "[〇一二三四五六七八九十百]{1,5}"
_HOUSE = (
    rf"(?:\d{{1,4}}|{_KANJI})(?:丁目 ?(?:\d{{1,4}}|{_KANJI}番)|番地)"
    r"|\d{1,4}番\d{1,4}"
    r"|(?!(?:19|20)\d\d-(?:\d\d){1,2}(?!\d))\d{1,4}-\d{1,4}(?!\d)"
)


def personal_data(prefectures: Iterable[str]) -> Callable[[str], str]:
    """A judge of normalised text: the kind of personal data it holds (`phone`, `postal_address`,
    `national_number`), or "". prefectures: what an address begins with."""
    address = re.compile(rf"(?:{'|'.join(prefectures)}) ?[^\W\d_]{{1,20}}?[市区町村][^\W\d_]{{0,20}}? ?(?:{_HOUSE})")

    def kind(text: str) -> str:
        if not _MAY_HOLD.search(text):
            return ""
        text = _DASH.sub("-", text)
        if has_phone(text):
            return "phone"
        if _POSTAL_CODE.search(text) or address.search(text):
            return "postal_address"
        return "national_number" if has_my_number(text) else ""

    return kind


def has_phone(text: str) -> bool:
    """Whether `text` has a Japanese telephone number: ten digits with the leading 0, eleven for mobile
    and internet telephones, in groups as the numbering plan has them."""
    return any(_is_phone(*found.groups(default="")) for found in _PHONE.finditer(text))


def _is_phone(area: str, local: str, last: str, together: str) -> bool:
    digits = f"0{area}{local}{last}{together}"
    if _ELEVEN_DIGITS.match(digits):
        return len(digits) == 11 and (len(last) == 4 or bool(together) or digits.startswith("0800"))
    # Ten digits in one piece are an article's number as often as a telephone's.
    return len(digits) == 10 and digits[1] != "0" and (len(last) == 4 or digits.startswith(_FREE_OF_AREA))


def has_my_number(text: str) -> bool:
    """Whether `text` has twelve digits with a valid check digit that are no years and no point in time.
    One in eleven other numbers of twelve digits looks the same."""
    for found in _MY_NUMBER.finditer(text):
        groups = found.group(1, 3, 4)
        digits = "".join(groups)
        if not all(map(_YEAR.fullmatch, groups)) and not _TIMESTAMP.fullmatch(digits) and check_digit_fits(digits):
            return True
    return False


def check_digit_fits(digits: str) -> bool:
    """Whether the last of twelve digits is the check digit of the first eleven (ordinance 85 of 2014,
    article 5: weights 2 to 7, then 2 to 6, from the right)."""
    total = sum(int(digit) * ((place - 1) % 6 + 2) for place, digit in enumerate(reversed(digits[:11]), start=1))
    rest = total % 11
    return int(digits[11]) == (0 if rest <= 1 else 11 - rest)
