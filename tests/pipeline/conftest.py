"""The whole way without a scheduler: the sample site served on loopback, stages run in a plain loop."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from waon_build import pipeline, recipe
from waon_build.annotation import questions
from waon_build.corpus import Corpus
from waon_build.demo.judgements import write_judgements
from waon_build.demo.server import Served, serve
from waon_build.recipe import Recipe

Overrides = dict[str, Any]


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    """The sample site, while the tests of a module last."""
    with serve(0) as served:
        yield served


@pytest.fixture
def demo_recipe(site: Served, tmp_path: Path) -> Path:
    """The demo's recipe for the site where it is served, its corpus in the test's own folder."""
    path = tmp_path / "demo.yaml"
    site.write_recipe(path, tmp_path / "corpus")
    return path


def make(loaded: Recipe, names: Collection[str] = pipeline.STAGES) -> dict[str, int]:
    """Run the stages of these names; returns how many parts each had to make."""
    corpus = pipeline.open_corpus(loaded)
    made = {}
    for stage in (stage for stage in pipeline.stages(loaded) if stage.name in names):
        parts, _ = pipeline.begin(stage, corpus)
        made[stage.name] = len(parts)
        for part in parts:
            stage.run(corpus, part)
    return made


@pytest.fixture(scope="module")
def run_once(site: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus on which the demo's recipe ran. Tests get copies (`ran_recipe`)."""
    folder = tmp_path_factory.mktemp("once")
    site.write_recipe(folder / "demo.yaml", folder / "corpus")
    make(recipe.load(folder / "demo.yaml"))
    return folder / "corpus"


@pytest.fixture
def ran_recipe(run_once: Path, demo_recipe: Path, tmp_path: Path) -> Path:
    """The demo's recipe, as `demo_recipe`, after its first run."""
    shutil.copytree(run_once, tmp_path / "corpus")
    return demo_recipe


@pytest.fixture
def run() -> Callable[[Path, Overrides], dict[str, int]]:
    """Runs a recipe's stages: (path, overrides) -> parts made by each stage."""
    return lambda path, overrides: make(recipe.load(path, overrides))


@pytest.fixture
def release_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, Overrides], dict[str, str]]:
    """Runs a recipe from its sources to a release: (path, overrides) -> sha256 of each of its files."""

    def release_of(path: Path, overrides: Overrides) -> dict[str, str]:
        loaded = recipe.load(path, overrides)
        make(loaded)
        judgements = tmp_path_factory.mktemp("judged") / "judgements.jsonl"
        pairs = [(task.pair_id, task.caption, task.url) for task in pipeline.queued(loaded)]
        write_judgements(pairs, judgements, questions.load(loaded.annotation.guideline).version)
        pipeline.import_answers(loaded, str(judgements))
        return digests(Path(pipeline.export(loaded).url))

    return release_of


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, by its path there."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture
def corpus_of() -> Callable[[Path, Overrides], Corpus]:
    """The corpus of a recipe: (path, overrides) -> Corpus."""
    return lambda path, overrides: pipeline.open_corpus(recipe.load(path, overrides))
