"""The words of the web pages, one catalogue a language: `catalogues/ja.toml`, `catalogues/en.toml`.

Tables within tables, read as dotted keys (`judge.skip`); `{name}` in a text stands for a value. Beside
the main file of a language there may be others (`coordinator.ja.toml`); no two have a key in common.
What the questions and the guideline say is not here: it is in `annotation_guidelines/`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

LANGUAGES = ("ja", "en")


class Texts(Mapping[str, str]):
    """All texts of one language. Called with a key, it gives the text; an unknown key is a KeyError."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = dict(texts)

    def __call__(self, key: str, **values: Any) -> str:
        text = self._texts[key]
        return text.format(**values) if values else text

    def __getitem__(self, key: str) -> str:
        return self._texts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)

    def for_page(self) -> dict[str, str]:
        """What the scripts of the judging page say: `campaign["texts"]`."""
        return {key: text for key, text in self._texts.items() if key.startswith(("judge.", "error.", "why_empty."))}


@cache
def catalogue(language: str) -> Texts:
    """The texts of a language (one of `LANGUAGES`)."""
    texts: dict[str, str] = {}
    folder = resources.files("waon_build.annotation.web").joinpath("catalogues")
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name == f"{language}.toml" or file.name.endswith(f".{language}.toml"):
            found = dict(_flat(tomllib.loads(file.read_text(encoding="utf-8"))))
            if twice := texts.keys() & found.keys():
                raise ValueError(f"{file.name}: {', '.join(sorted(twice))} is in another catalogue as well")
            texts |= found
    return Texts(language, texts)


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value
