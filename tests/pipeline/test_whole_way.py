"""The whole way on the sample site: what becomes of each thing on it, and what a second run does."""

from __future__ import annotations

from pathlib import Path

import pytest

from waon_build import pipeline, recipe
from waon_build.audit.funnel import faults, funnel
from waon_build.demo import truth
from waon_build.demo.server import Served
from waon_build.export.verify import verify
from waon_build.rights.tombstones import Tombstones

pytestmark = pytest.mark.slow


def test_the_funnel_is_the_one_that_was_written_down_for_the_site(
    site: Served, ran_recipe: Path, run, corpus_of
) -> None:
    """Stage by stage and reason by reason, against a truth that knows nothing of the pipeline."""
    corpus = corpus_of(ran_recipe, {})
    steps = funnel(corpus)
    assert faults(steps) == []
    found = {step.stage: step.counts for step in steps if step.unit not in ("records", "pages")}
    for stage, counts in truth.funnel().items():
        assert found[stage].to_json() == counts.to_json(), stage
    pages = next(step.counts for step in steps if step.unit == "pages")
    assert pages.dropped == truth.pages_refused()


def test_nothing_that_was_refused_was_ever_asked_for(site: Served, ran_recipe: Path, run) -> None:
    assert site.asked_against_its_will == []


def test_a_second_run_makes_nothing_and_asks_for_nothing(site: Served, ran_recipe: Path, run) -> None:
    asked = site.requests.total()
    assert set(run(ran_recipe, {}).values()) == {0}
    assert site.requests.total() == asked


def test_two_runs_on_one_site_give_a_release_of_the_same_bytes(ran_recipe: Path, tmp_path: Path, release_of) -> None:
    first = release_of(ran_recipe, {})
    assert release_of(ran_recipe, {"corpus": str(tmp_path / "two")}) == first
    assert any(name.endswith(".tar") for name in first)


@pytest.mark.parametrize(
    ("setting", "value", "first"),
    [
        ("filters.text.min_characters", 5, "text"),
        ("filters.text.max_repeats", 3, "plan"),
        ("filters.image.min_side", 200, "image"),
        ("dedup.radius", 2, "dedup"),
        ("annotation.overlap", 1, "route"),
        ("fetch.quality", 80, "fetch"),
        ("fetch.contact", "other@example.org", None),
        ("fetch.per_host_rate", 40, None),
    ],
)
def test_a_changed_setting_redoes_its_stage_and_what_follows_and_nothing_before(
    ran_recipe: Path, run, setting: str, value: object, first: str | None
) -> None:
    made = run(ran_recipe, {setting: value})
    stages = list(made)
    before = stages[: stages.index(first)] if first else stages
    assert {stage: made[stage] for stage in before if made[stage]} == {}
    if first:
        assert made[first] > 0


def test_a_changed_caption_rule_asks_for_no_picture_a_second_time(site: Served, ran_recipe: Path, run) -> None:
    """A URL is fetched once in the corpus's life, also when it is planned anew."""
    asked = {path: count for path, count in site.requests.items() if path.startswith("/img")}
    run(ran_recipe, {"filters.text.min_characters": 4, "filters.text.max_repeats_per_host": 3})
    again = {path: count for path, count in site.requests.items() if path.startswith("/img")}
    assert {path for path in again if again[path] > asked.get(path, 0)} == set()


def test_the_release_verifies_and_holds_what_was_accepted(ran_recipe: Path, release_of) -> None:
    release_of(ran_recipe, {})
    loaded = recipe.load(ran_recipe)
    (release,) = pipeline.state(loaded).releases
    report = verify(release)
    assert report.failures == []
    assert report.samples == pipeline.state(loaded).queue["accepted"] > 40


def test_what_was_taken_down_leaves_the_queue_and_the_next_release(ran_recipe: Path, release_of) -> None:
    release_of(ran_recipe, {})
    loaded = recipe.load(ran_recipe)
    corpus = pipeline.open_corpus(loaded)
    (before,) = pipeline.state(loaded).releases
    samples = verify(before).samples
    kept = corpus.read("dedup", "clusters").to_pylist()
    gone = next(row["pair_id"] for row in kept if row["canonical"])
    Tombstones.add(corpus, "pair_id", gone, "asked by the photographer")
    release_of(ran_recipe, {})
    (after,) = set(pipeline.state(loaded).releases) - {before}
    assert verify(after).samples in (samples - 1, samples)
    assert gone not in {row["pair_id"] for row in corpus.read("route", "tasks").to_pylist() if row["kind"] == "normal"}


def test_filters_that_leave_nothing_empty_the_queue(ran_recipe: Path, run) -> None:
    assert pipeline.queued(recipe.load(ran_recipe))
    run(ran_recipe, {"filters.text.min_characters": 900})
    left = pipeline.queued(recipe.load(ran_recipe))
    assert [task for task in left if task.url] == []
