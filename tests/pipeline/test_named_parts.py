"""Parts that are asked for by name: `STAGE/PART`, as a failed run prints them."""

from __future__ import annotations

from pathlib import Path

import pytest

from waon_build import pipeline
from waon_build.recipe import Recipe
from waon_build.records import InputError


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    (tmp_path / "table.csv").write_text("url,caption\nhttp://127.0.0.1:9/a.jpg,夕暮れの鳥居\n", "utf-8")
    source = {"kind": "table", "paths": [str(tmp_path / "table.csv")]}
    return Recipe.model_validate({"name": "small", "corpus": str(tmp_path / "corpus"), "sources": [source]})


def test_parts_are_put_to_their_stages_each_once(recipe: Recipe) -> None:
    named = ["extract/a", "fetch/g0001-000000", "extract/b", "recheck/g0001-000000", "extract/a"]
    assert pipeline.stages_of(recipe, named) == {
        "extract": ["a", "b"],
        "fetch": ["g0001-000000"],
        "recheck": ["g0001-000000"],
    }


@pytest.mark.parametrize("part", ["extract", "nonsense/a", "a", "", "crawl/a", "select/a"])
def test_what_names_no_part_of_a_stage_of_the_recipe_is_one_line(recipe: Recipe, part: str) -> None:
    with pytest.raises(InputError, match=r"is not STAGE/PART: the stages are extract, .*recheck"):
        pipeline.stages_of(recipe, [part])


def test_a_part_that_the_recipe_does_not_ask_for_is_one_line(recipe: Recipe) -> None:
    corpus = pipeline.open_corpus(recipe)
    (extract,) = [stage for stage in pipeline.stages(recipe) if stage.name == "extract"]
    (part,) = extract.inputs(corpus)
    assert pipeline.find(extract, corpus, [part.name]) == [part]
    with pytest.raises(InputError, match="--part extract/other: there is no such part"):
        pipeline.find(extract, corpus, [part.name, "other"])
