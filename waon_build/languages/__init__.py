"""What a native speaker knows of a script: one pack a language, found by its data file.

A pack is a module and a TOML file of the same name beside it (`japanese.py`, `japanese.toml`); the
file says its `code`, the module's `pack(data, digest)` returns a `Language`. A newcomer adds these two
and edits nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib import import_module, resources
from types import MappingProxyType

from waon_build.languages.language import Language
from waon_build.languages.page import language_of_page
from waon_build.records import InputError

__all__ = ["Language", "get", "packs", "page_language"]


def get(code: str) -> Language:
    """The pack of a language, by BCP 47 primary subtag. Raises InputError when there is none."""
    try:
        return packs()[code]
    except KeyError:
        there = ", ".join(packs())
        raise InputError(f"language {code!r} has no pack in waon_build/languages: there are {there}") from None


def page_language(declared: Sequence[str], text: str) -> str:
    """The language of a page, as a BCP 47 primary subtag, or "" when nothing tells.

    declared: what the page says of itself, most trusted first (`<html lang>`, Content-Language, meta),
    as found. text: up to some thousand characters of its visible text. Clear text wins over a
    declaration; script wins over the model; a declaration decides where text is short or ambiguous.
    """
    return language_of_page(packs(), declared, text)


@cache
def packs() -> Mapping[str, Language]:
    """All packs, by code, sorted."""
    found: dict[str, Language] = {}
    for file in resources.files(__name__).iterdir():
        if file.name.endswith(".toml"):
            data = file.read_bytes()
            module = import_module(f"{__name__}.{file.name.removesuffix('.toml')}")
            pack: Language = module.pack(tomllib.loads(data.decode()), blake2b(data, digest_size=8).hexdigest())
            found[pack.code] = pack
    return MappingProxyType(dict(sorted(found.items())))
