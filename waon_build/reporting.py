"""The weekly report, put together: what the audit says, and what a run would find, which the pipeline knows."""

from __future__ import annotations

from datetime import UTC, date, datetime

from waon_build import pipeline
from waon_build.annotation import database
from waon_build.audit.annotation.audit import Audit, audit
from waon_build.audit.kept import keep, latest
from waon_build.audit.weekly import Outlook, Report, snapshot
from waon_build.corpus import Corpus, Part
from waon_build.recipe import Recipe
from waon_build.records import InputError


def weekly_report(recipe: Recipe, day: date, resamples: int = 200) -> tuple[Report, Audit | None]:
    """The report of a day beside the newest one of a day before, and the audit of the annotation, None while nobody
    was asked. Only reads. resamples: as for `audit_annotation`. Raises InputError when there is no corpus."""
    corpus = pipeline.existing(recipe)
    with database.reading(recipe) as engine:
        found = None if engine is None else audit(engine, recipe.name, recipe.annotation, resamples=resamples)
    before, problems = latest(corpus, day)
    now = snapshot(
        corpus,
        dict.fromkeys((*pipeline.STAGES, *pipeline.REFRESH)),
        datetime.now(UTC),
        found,
        recipe.annotation.quality.gold,
        _outlook(recipe, corpus, problems),
    )
    return Report(recipe.name, now, before), found


def keep_report(recipe: Recipe, report: Report, day: date, markdown: str) -> str:
    """Keep a report in the corpus, in place of one of the same day; returns where its Markdown is."""
    return keep(pipeline.open_corpus(recipe), report, day, markdown)


def _outlook(recipe: Recipe, corpus: Corpus, problems: list[str]) -> Outlook:
    """What a run would find now, of the stages that are asked without writing. problems: known before."""
    found = Outlook(problems=problems)
    for stage in pipeline.stages(recipe):
        if stage.name in ("crawl", "select", "extract", "text", "fetch", "image"):
            try:
                parts = stage.inputs(corpus)
            except InputError as error:
                found.problems.append(str(error))
                continue
            found.pending[stage.name] = len(corpus.pending(stage.name, parts))
            if stage.name == "extract":
                found.sources.update((part.name, label) for part in parts if (label := _source_of(recipe, part)))
    return found


def _source_of(recipe: Recipe, part: Part) -> str:
    """The source that a part of `extract` reads, as the recipe counts it; "" of a site, which its name tells."""
    kind, _, rest = part.source.partition(":")
    index = rest.partition(":")[0]
    return "" if kind == "crawl" else f"sources.{index} ({recipe.sources[int(index)].kind})"
