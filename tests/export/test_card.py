"""The card: a header that Hugging Face reads, figures from the release, prose that does not overstate."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from waon_build.export.card import _size, card
from waon_build.export.facts import Facts, Provenance, sources
from waon_build.export.sample import SAMPLE
from waon_build.export.selection import Shard
from waon_build.recipe import Recipe
from waon_build.records import Counts


def facts(recipe: Recipe, **known: Any) -> Facts:
    shards = (Shard("made-train-000000", "train", 5, 0), Shard("made-train-000001", "train", 2, 1))
    return Facts(recipe, Provenance(**known), "webp", shards, Counts(7, 7), 0, name="r0", content="0")


def test_it_says_what_makes_a_pair_accepted_and_that_one_persons_flag_rejects_it(made: Any) -> None:
    text = card(facts(made.recipe)).decode()
    assert "at least 2 of 3, and none of them flagged it" in text
    assert "one person's flag rejects it." in text


def header_of(text: bytes) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.decode().split("---\n")[1])
    return found


def test_the_header_names_language_licence_size_and_the_files_of_each_split(made: Any) -> None:
    header = header_of(card(facts(made.recipe)))
    assert header["language"] == ["ja"]
    assert header["license"] == "other"
    assert header["size_categories"] == ["n<1K"]
    assert header["configs"] == [
        {"config_name": "default", "data_files": [{"split": "train", "path": "made-train-*.tar"}]}
    ]


@pytest.mark.parametrize("title", ["日本の写真: 「旅」", "a\n---\nlicense: mit", "- x: {", "$name ${x}"])
def test_a_title_cannot_break_the_header(made: Any, title: str) -> None:
    recipe = made.recipe.model_copy(update={"export": made.recipe.export.model_copy(update={"title": title})})
    header = header_of(card(facts(recipe)))
    assert header["pretty_name"] == " ".join(title.split())
    assert header["license"] == "other"


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (1, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (150_000, "100K<n<1M"),
        (99_999_999, "10M<n<100M"),
        (999_999_999, "100M<n<1B"),
        (10**9, "n>1B"),
    ],
)
def test_a_size_is_told_in_hugging_faces_words(samples: int, word: str) -> None:
    assert _size(samples) == word


def test_every_field_is_explained(made: Any) -> None:
    text = card(facts(made.recipe)).decode()
    for name in SAMPLE.names:
        assert f"| `{name}`" in text


def test_loading_is_shown_with_the_names_that_are_there(made: Any) -> None:
    text = card(facts(made.recipe)).decode()
    assert "made-train-{000000..000001}.tar" in text
    assert '.to_tuple("webp", "txt", "json")' in text


def test_how_to_withdraw_names_the_contact(made: Any) -> None:
    assert "Write to https://example.org/waon." in card(facts(made.recipe)).decode()


def test_figures_that_are_not_known_are_not_there(made: Any) -> None:
    text = card(facts(made.recipe)).decode()
    assert "Krippendorff" not in text
    assert "without the funnel" in text


def test_paths_of_the_machine_that_made_it_are_not_told(made: Any) -> None:
    settings = made.recipe.model_dump() | {
        "sources": [
            {"kind": "warc", "paths": ["/home/alice/crawl/a.warc.gz", "https://data.example.org/b.warc.gz"]},
            {"kind": "site", "seeds": ["https://example.jp/"]},
        ]
    }
    recipe = Recipe.model_validate(settings)
    assert sources(recipe) == [
        "web archive (WARC) a.warc.gz",
        "web archive (WARC) https://data.example.org/b.warc.gz",
        "web site https://example.jp/",
    ]
    assert b"alice" not in card(facts(recipe))
