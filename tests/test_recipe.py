"""Recipes: bad input is one line that names the file, the field and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from waon_build import recipe
from waon_build.recipe import Recipe, RecipeError
from waon_build.source_settings import Source

GOOD = """
name: small
corpus: out
sources:
  - kind: table
    paths: [a.parquet]
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_needs_only_a_name_a_corpus_and_a_source(tmp_path: Path) -> None:
    loaded = recipe.load(write(tmp_path, GOOD))
    assert loaded.language == "ja"
    assert loaded.filters.image.min_side == 150


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: [", "line 1 is not YAML"),
        ("just words", "is not a recipe"),
        ("name: small\ncorpus: out", "sources is missing: add it"),
        (GOOD + "fetch: {contct: me}", "fetch.contct is not a field of a recipe: check its spelling"),
        (GOOD + "filters: {image: {min_side: -1}}", "filters.image.min_side is wrong"),
        (GOOD.replace("small", "Bad Name"), "name is wrong"),
        (GOOD + "export: {splits: {train: 0.5}}", "add up to 1"),
        (GOOD + "annotation: {overlap: 4, max_overlap: 2}", "max_overlap is smaller than overlap"),
        (GOOD.replace("table", "tabel"), "sources.0 is wrong"),
    ],
)
def test_a_bad_recipe_is_one_line_with_the_field_and_the_way_out(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        recipe.load(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert says in line
    assert "\n" not in line


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_a_recipe_that_cannot_be_read_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        recipe.load(tmp_path / name)


def test_a_recipe_that_is_not_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(RecipeError, match="is not UTF-8 text"):
        recipe.load(path)


def test_a_field_can_be_set_from_outside(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    loaded = recipe.load(path, {"fetch.contact": "me@example.org", "sources.0.paths": ["b.csv"]})
    assert loaded.fetch.contact == "me@example.org"
    assert loaded.sources[0].paths == ["b.csv"]  # type: ignore[union-attr]
    with pytest.raises(RecipeError, match="cannot be set"):
        recipe.load(path, {"sources.7.paths": []})
    with pytest.raises(RecipeError, match="is not a field of a recipe"):
        recipe.load(path, {"fetch.nonsense": 1})


def test_every_field_of_a_recipe_says_what_it_is() -> None:
    def undescribed(model: type, prefix: str = "") -> list[str]:
        missing = []
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            if name == "kind":
                continue
            if not field.description:
                missing.append(prefix + name)
            if isinstance(field.annotation, type) and hasattr(field.annotation, "model_fields"):
                missing += undescribed(field.annotation, f"{prefix}{name}.")
        return missing

    sources = get_args(get_args(Source)[0])
    assert len(sources) == 4
    models = (Recipe, *sources)
    assert [name for model in models for name in undescribed(model)] == []


def test_a_field_said_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: x\ncorpus: c\nname: y\nsources: []\n")
    with pytest.raises(RecipeError, match=r"line 3 says name twice: keep one"):
        recipe.load(path)


def test_a_section_without_anything_is_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: x\ncorpus: c\nfetch:\nfilters:\n  text:\nsources: [{kind: table, paths: [x.csv]}]\n")
    assert recipe.load(path).filters.text.min_characters == 2
