"""The ready recipes: each loads, says what it is for, and differs from the defaults only where it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from waon_build import recipe as recipes
from waon_build.demo.server import RECIPE_URL

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


def test_there_is_a_recipe_for_each_kind_of_source() -> None:
    kinds = {path.stem: recipes.load(path).sources[0].kind for path in RECIPES}
    assert kinds == {"common-crawl-ja": "common_crawl", "demo": "site", "url-table": "table"}


@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_a_ready_recipe_loads_and_is_named_as_its_file(path: Path) -> None:
    loaded = recipes.load(path)
    assert loaded.name == path.stem
    assert loaded.language == "ja"


@pytest.mark.parametrize("path", RECIPES, ids=[path.stem for path in RECIPES])
def test_a_ready_recipe_opens_with_what_it_is_for_and_the_command_that_runs_it(path: Path) -> None:
    opening = path.read_text(encoding="utf-8").split("\n\n")[0]
    assert opening.startswith("# ")
    assert "#     waon-build " in opening


def test_a_recipe_for_the_web_names_nobodys_contact() -> None:
    """Whoever runs it says who they are: nothing is fetched in our name."""
    for path in RECIPES:
        loaded = recipes.load(path)
        assert loaded.fetch.contact is None or path.stem == "demo"
        assert not loaded.fetch.allow_hosts or path.stem == "demo"


def test_the_demo_recipe_asks_nobody_but_this_machine() -> None:
    demo = recipes.load(RECIPES[[path.stem for path in RECIPES].index("demo")])
    assert [seed for source in demo.sources for seed in source.seeds] == [f"{RECIPE_URL}/"]  # type: ignore[union-attr]
    assert demo.fetch.allow_hosts == ["127.0.0.1"]
    assert demo.fetch.contact
    assert demo.fetch.contact.endswith("@example.org")
