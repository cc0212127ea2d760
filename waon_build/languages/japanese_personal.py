"""Personal data as Japan writes it: telephone numbers, postal addresses, My Number, and e-mail
addresses that are disguised or have a Japanese domain.

Forms are strict, so that years, prices and product codes are not taken for them; what a form cannot
tell, the number of digits or the check digit does. All patterns are bounded: time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_MAY_HOLD = re.compile("[0-9〒]|丁目|番地")
_DASH = re.compile(r"(?<=[0-9])[‐‑‒–—―−ー](?=[0-9])")

# 03-1234-5678, (03)1234-5678, 03(1234)5678, 03・1234・5678, 0120-123-456, 090 1234 5678, 090-12345678,
# 09012345678, +81-3-1234-5678, +81(90)1234-5678.
_PHONE = re.compile(
    r"(?:(?<=tel)|(?<=fax)|(?<![\w/#-])(?<!\d[.,]))(?:\+81[- ]?(?:\(0\)|\(0?|0)?|\(?0)"
    r"(\d{1,4})(?:[-.() ・]{1,2}(\d{1,4})[-.() ・]{1,2}(\d{3,4})|[-.() ・]{0,2}(\d{8}))(?![\w-]|[.,]\d)",
    re.ASCII | re.IGNORECASE,
)
# TEL:0312345678, 電話 0312345678, 電話番号(代表)は03-12345678: a label says what the form does not. ℡ is TEL by NFKC.
_LABELLED_PHONE = re.compile(
    r"(?:(?<![a-z])(?:tel|fax|phone)|電話|携帯|ファックス|ファクス|フリーダイヤル|[☎☏📞📱]\ufe0f?)"
    r"(?:電話)?(?:番号)?(?:\([^\d()]{1,6}\))?[ :;.・は]{0,3}"
    r"(?:\+81[- ]?(?:\(0\)|\(0?|0)?|\(?0)(\d(?:[-.() ・]{0,2}\d){8,9})(?![\w-]|[.,]\d)",
    re.ASCII | re.IGNORECASE,
)
_ELEVEN_DIGITS = re.compile("0(?:[5-9]0|20|800)")
_FREE_OF_AREA = ("0120", "0570", "0180", "0990")

# taro★example.com, taro(アット)example.jp, taro@例え.jp. The domain must end in a known one: 祭り★vol.2 is no address.
_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64} ?(?:[@★☆]|[(\[<](?:at|アット|あっと)[)\]>]) ?"
    r"(?:[a-z0-9ぁ-ヿ々㐀-鿿-]{1,63}\.){1,8}"
    r"(?:com|net|org|info|biz|jp|io|dev|app|co|tv|me|cc|cn|kr|tw|uk|eu|edu|みんな|コム)(?![\w-])",
    re.ASCII | re.IGNORECASE,
)

_MY_NUMBER = re.compile(r"(?<![\w.,/-])(\d{4})([- ]?)(\d{4})\2(\d{4})(?![\w/-]|[.,]\d)", re.ASCII)
_YEAR = re.compile(r"(?:19|20)\d\d")
_TIMESTAMP = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d")

_POSTAL_CODE = re.compile(r"〒 ?\d{3}-?\d{4}(?!\d)")
_KANJI = "[〇一二三四五六七八九十百]{1,5}"
_YEARS_OR_DAY = r"(?:19|20)\d\d-(?:\d\d){1,2}(?!\d)|\d\d?-\d\d?-(?:19|20)\d\d(?!\d)"
# What a number before it counts: 4-5世紀, 5-10度, 3-1で勝利; but not 日本, 人形, 名古屋.
_COUNTED = (
    r" ?(?:世紀|年代|年度|度(?!会)|歳|℃|°|%|(?:[kcm]?m|k?g|m?l)(?![a-z]))"
    r"|ヶ月|か月|カ月|年(?!金)|月(?!島|見)|日(?!本|野|吉|向)|時(?!計)|分(?!庁)|秒|週|泊|才"
    r"|人(?!形)|名(?!古屋|物|産|店)|円(?!山)|回(?!転)|点|倍|割|個(?!室|人)|枚|本(?!社|店|町|部|館)|台(?!湾|所)"
    r"|匹|頭|羽(?!田)|冊|位|階|杯|勝|敗|対|キロ|メートル|センチ|ミリ|トン|セット"
    r"|で(?:勝|敗|引|負|快|惨|辛|下|破|逆|制|終|リード)|の(?:勝利|敗|スコア|引き?分|接戦|逆転|快勝|辛勝|大勝)"
)
# A particle or a word that numbers pictures: what follows is a score or a figure.
_NO_NAME_BEFORE = "".join(
    f"(?<!{word}{space})" for word in ("[がはでのにをもへと]", "写真", "画像", "[図第約]") for space in ("", " ")
)
_HOUSE = (
    rf"(?P<blocks>(?:\d{{1,4}}|{_KANJI})丁目 ?(?:(?!(?:19|20)\d\d(?!\d))\d{{1,4}}(?:番|-\d)|{_KANJI}番))"
    rf"|(?:\d{{1,4}}|{_KANJI})(?:丁目 ?(?!(?:19|20)\d\d(?!\d))\d{{1,4}}|番地)"
    r"|\d{1,4}番\d{1,4}"
    rf"|{_NO_NAME_BEFORE}(?!{_YEARS_OR_DAY})"
    rf"(?:(?P<three>\d{{1,4}}(?:-\d{{1,4}}){{2,3}}+)|\d{{1,4}}-\d{{1,4}}+(?!{_COUNTED}))(?![\d-])"
)
# Looked at from every 市, 区, 町 and 村, so that one which is none (町田市) hides no other. 市の古墳 is prose, and
# so is all after it; 市のぞみ野 is a place.
_PLACE = re.compile(
    r"(?<=[^\W\d_])(?<![でがを])[市区町村](?![がを]|の(?!ぞみ))"
    rf"(?=(?P<town>(?: ?(?:[^\W\d_]|\d{{1,2}}条)){{0,20}}?) ?(?:{_HOUSE}))"
)
_WARD = re.compile(r" ?[^\W\d_のがはでを]{1,5}区")


def personal_data(prefectures: Iterable[str]) -> Callable[[str], str]:
    """A judge of normalised text: the kind of personal data it holds (`email`, `phone`, `postal_address`,
    `national_number`), or "". prefectures: what an address begins with."""
    in_prefecture = re.compile(rf"(?:{'|'.join(prefectures)})(?!の)(?: ?[^\W\d_]){{1,20}}\Z")

    def is_address(text: str, found: re.Match[str]) -> bool:
        # Without a prefecture 町 may be in anybody's name (北町): 2-8-1 says enough, 1-1 where a city has a ward.
        if found["town"] and (found["three"] or found["blocks"]):
            return True
        if found[0] == "市" and _WARD.match(found["town"]):
            return True
        return bool(in_prefecture.search(text[max(0, found.start() - 44) : found.start()]))

    def kind(text: str) -> str:
        if _EMAIL.search(text):
            return "email"
        if not _MAY_HOLD.search(text):
            return ""
        text = _DASH.sub("-", text)
        if has_phone(text):
            return "phone"
        if _POSTAL_CODE.search(text) or any(is_address(text, found) for found in _PLACE.finditer(text)):
            return "postal_address"
        return "national_number" if has_my_number(text) else ""

    return kind


def has_phone(text: str) -> bool:
    """Whether `text` has a Japanese telephone number: ten digits with the leading 0, eleven for mobile
    and internet telephones, in groups as the numbering plan has them."""
    return any(_is_phone(*found.groups(default="")) for found in _PHONE.finditer(text)) or any(
        _is_number_of_phone("0" + re.sub(r"\D", "", found[1])) for found in _LABELLED_PHONE.finditer(text)
    )


def _is_number_of_phone(digits: str) -> bool:
    return digits[1] != "0" and len(digits) == (11 if _ELEVEN_DIGITS.match(digits) else 10)


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
