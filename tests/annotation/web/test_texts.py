"""The catalogues, and what templates and scripts say of them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from string import Formatter

import pytest

from waon_build.annotation.questions import load
from waon_build.annotation.web.problems import WORDS
from waon_build.annotation.web.texts import LANGUAGES, catalogue

WEB = resources.files("waon_build.annotation.web")
CALL = re.compile(r"""\bt\(\s*(["'`])(?P<key>[a-z_.]+)(?P<rest>["'] ~|\1|\$\{)""")
MADE = {
    "error.": set(WORDS.values()),
    "why_empty.": {"loading", "offline", "nothing_left", "paused", "blocked", "not_qualified"},
    "judge.skip_": {"cannot_judge", "distressing", "broken", "other"},
}
"""Keys that are put together of a beginning and a word of the code."""


def sources() -> Iterator[tuple[str, str]]:
    for folder, endings in (("templates", (".html",)), ("static", (".js",))):
        waiting = [WEB / folder]
        while waiting:
            for entry in waiting.pop().iterdir():
                if entry.is_dir():
                    waiting.append(entry)
                elif entry.name.endswith(endings):
                    yield entry.name, entry.read_text(encoding="utf-8")


def test_all_languages_have_the_same_texts() -> None:
    first, *others = (catalogue(language) for language in LANGUAGES)
    for other in others:
        assert set(other) == set(first)
        for key in first:
            assert names(other[key]) == names(first[key]), key


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_templates_and_scripts_use_no_text_that_is_not_there() -> None:
    texts = catalogue("en")
    unknown = []
    for file, source in sources():
        for call in CALL.finditer(source):
            whole = call["rest"] in ("'", '"', "`")
            known = call["key"] in texts if whole else any(key.startswith(call["key"]) for key in texts)
            if not known:
                unknown.append(f"{file}: {call['key']}")
    assert unknown == []


def test_no_text_is_there_for_nothing() -> None:
    used = {word for _, source in sources() for word in re.findall(r"[\"'`]([a-z_]+(?:\.[a-z_]+)+)", source)}
    begun = tuple(
        word for _, source in sources() for word in re.findall(r"[\"'`]([a-z_]+\.[a-z_.]*)(?:[\"'] ~|\$\{)", source)
    )
    own = tomllib.loads((WEB / "catalogues" / "en.toml").read_text(encoding="utf-8"))
    keys = [key for key in catalogue("en") if key.split(".")[0] in own]
    assert [key for key in keys if key not in used and not key.startswith((*begun, "error.", "profile."))] == []


@pytest.mark.parametrize("beginning", MADE)
def test_each_word_that_the_server_may_say_has_its_text(beginning: str) -> None:
    for word in MADE[beginning]:
        key = beginning + word
        assert any(found == key or found.startswith(key + ".") for found in catalogue("en")), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_scripts_are_given_what_they_use(language: str) -> None:
    given = catalogue(language).for_page()
    for file, source in sources():
        if file.endswith(".js"):
            for call in CALL.finditer(source):
                assert any(key.startswith(call["key"]) for key in given), f"{file}: {call['key']}"


def test_a_text_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        catalogue("en")("judge.nowhere")


def test_values_stand_where_their_names_are() -> None:
    assert catalogue("en")("judge.counts", n=3) == "Today: 3"


def test_no_letter_of_an_option_is_a_key_of_the_page() -> None:
    """questions.js gives letters to options beyond the tenth; none may be one that means something else."""
    questions = (WEB / "static" / "questions.js").read_text(encoding="utf-8")
    judge = (WEB / "static" / "judge.js").read_text(encoding="utf-8")
    taken = set(re.search(r'TAKEN = new Set\(\[\.\.\."([a-z]+)"\]\)', questions)[1])
    listed = re.search(r"const keys = \{([^}]+)\}", judge)[1]
    assert set(re.findall(r"\b([a-z]): ", listed)) | {"w"} == taken
    assert all(len(question.options) <= 10 for question in load("ja").questions)


def test_nothing_is_loaded_from_elsewhere() -> None:
    for file, source in sources():
        for address in re.findall(r"https?://[^\s\"'`)]+", source):
            assert address == "http://www.w3.org/2000/svg", f"{file}: {address}"
    for entry in (WEB / "static").iterdir():
        if entry.name.endswith(".css"):
            assert "url(" not in entry.read_text(encoding="utf-8")
