"""The stages in their order, and what joins them: the only file that knows every room.

It decides what is run, never where or when: a scheduler (`flows/`, or a test's plain loop) takes
`stages()` one by one, asks `begin()` for each stage's parts, makes them, and goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine

from waon_build import languages
from waon_build.annotation import database, decided, decisions, queue
from waon_build.annotation.connectors.campaign import Campaign
from waon_build.annotation.connectors.files import import_judgements
from waon_build.annotation.connectors.handing_out import HandedOut, hand_out
from waon_build.annotation.connectors.tools import FileKind, Tool
from waon_build.annotation.guideline import load as load_guideline
from waon_build.annotation.progress import progress
from waon_build.annotation.questions import load as load_questions
from waon_build.annotation.shown import Shown
from waon_build.annotation.stage import Route
from waon_build.annotation.takedown import withdraw_covered
from waon_build.audit.funnel import as_rows, funnel
from waon_build.audit.state import State
from waon_build.audit.state import state as read_state
from waon_build.corpus import Corpus, Part, Stage
from waon_build.dedup.stage import Dedup
from waon_build.export.earlier import released_pairs
from waon_build.export.facts import Provenance
from waon_build.export.release import Release
from waon_build.export.release import export as write_release
from waon_build.export.selection import Accepted
from waon_build.fetch.client import Client
from waon_build.fetch.origin import Origins
from waon_build.fetch.politeness import Politeness
from waon_build.fetch.recheck import Recheck
from waon_build.fetch.stage import Fetch, Plan
from waon_build.filters.stage import FilterImage, FilterText
from waon_build.recipe import Recipe
from waon_build.records import Counts, InputError, Tally, normalised
from waon_build.rights.tombstones import Tombstones
from waon_build.source_settings import SiteSource
from waon_build.sources.page_rights import page_rights
from waon_build.sources.select import Select, selecting
from waon_build.sources.site import Crawl
from waon_build.sources.stage import Extract

if TYPE_CHECKING:
    from waon_build.audit.annotation.audit import Audit

STAGES = ("crawl", "select", "extract", "text", "plan", "fetch", "image", "dedup", "route")
"""Of a run, from the sources to the queue."""
REFRESH = ("recheck", "dedup", "route")
"""Of a refresh: what refuses by now leaves queue and next release."""
ROUTE = ("dedup", "route")
"""What the route flow runs, after what the answers decide."""


def open_corpus(recipe: Recipe) -> Corpus:
    """The corpus of a recipe, wherever it lives."""
    return Corpus(recipe.corpus, **recipe.runtime.storage_options)


def existing(recipe: Recipe) -> Corpus:
    """The corpus of a recipe. Raises InputError when there is none."""
    corpus = open_corpus(recipe)
    if not corpus.fs.exists(corpus.root):
        raise InputError(f"{corpus.url}: there is no corpus here: set `corpus` in the recipe to where it is")
    return corpus


def stages(recipe: Recipe, pool: Executor | None = None) -> list[Stage]:
    """All stages in order, of a run and of a refresh. pool: runs the decoding of images, beside the network."""
    client = partial(Client, recipe.fetch, Politeness.of(recipe.fetch), Origins())
    return [
        *([Crawl(recipe, client)] if _crawls(recipe) else []),
        *([Select(recipe)] if selecting(recipe) else []),
        Extract(recipe),
        FilterText(recipe),
        Plan(recipe),
        Fetch(recipe, pool, client),
        FilterImage(recipe),
        Recheck(recipe, client, page_rights),
        Dedup(recipe, frozen=partial(_frozen_pairs, recipe)),
        Route(recipe),
    ]


def begin(stage: Stage, corpus: Corpus) -> tuple[list[Part], int]:
    """The parts of a stage to make, and how many are current. Parts that the recipe no longer asks for (a
    source taken out, a table cut anew, a batch that a stricter filter emptied) are taken back, except
    what was fetched: nobody is asked for the same thing twice."""
    wanted = stage.inputs(corpus)
    if stage.name in ("select", "extract", "text", "image"):
        for name in set(corpus.parts(stage.name)) - {part.name for part in wanted}:
            corpus.remove_part(stage.name, name)
    parts = corpus.pending(stage.name, wanted)
    return parts, len(wanted) - len(parts)


def stages_of(parts: Iterable[str]) -> dict[str, list[str]]:
    """Stage -> names of its parts. parts: each `STAGE/PART`. Raises InputError for one that is not so written."""
    known = dict.fromkeys((*STAGES, *REFRESH))
    found: dict[str, list[str]] = {}
    for part in parts:
        stage, slash, name = part.partition("/")
        if not slash or stage not in known:
            raise InputError(f"--part {part}: is not STAGE/PART: the stages are {', '.join(known)}")
        found.setdefault(stage, []).append(name)
    return found


def find(stage: Stage, corpus: Corpus, names: Iterable[str]) -> list[Part]:
    """The parts of these names. Raises InputError for one that the stage should not have."""
    wanted = {part.name: part for part in stage.inputs(corpus)}
    for name in names:
        if name not in wanted:
            raise InputError(f"--part {stage.name}/{name}: there is no such part: run the recipe without --part")
    return [wanted[name] for name in names]


def run_part(recipe: Recipe, stage: str, part: Part, pool: Executor | None = None) -> Tally:
    """Make and commit one part of a `cpu` or `network` stage: what a worker process is handed. All parts of a
    recipe that one process makes share their politeness. pool: as in `stages`; the same in every call."""
    if not _here or _here[0] != recipe:
        _here[:] = recipe, stages(recipe, pool)
    made: Stage = next(one for one in _here[1] if one.name == stage)
    return made.run(open_corpus(recipe), part)


_here: list[Any] = []
"""The recipe whose parts this process makes, and its stages."""


def check(recipe: Recipe) -> None:
    """Raise InputError for what would stop a run, before anything is started: an unwritable corpus, a
    missing source, no contact address, a database that cannot be opened."""
    corpus = open_corpus(recipe)
    corpus.create()
    for stage in stages(recipe):
        if stage.name in ("crawl", "select", "extract", "dedup"):  # those that read what the recipe names
            stage.inputs(corpus)
    Client(recipe.fetch)
    load_questions(recipe.annotation.guideline)
    database.open(recipe).dispose()


def import_answers(recipe: Recipe, path: str, kind: FileKind | None = None) -> Counts:
    """Take a file of judgements in through the queue's own submit, and decide what they decide. kind: what wrote
    it, told from the file when it is not given."""
    with database.opened(recipe) as engine:
        counts = import_judgements(engine, path, recipe.annotation, kind=kind)
        decisions.decide(engine, recipe.annotation)
        return counts


def decide(recipe: Recipe) -> Counter[str]:
    """Decide what the answers so far decide, and ask for more where people disagree; returns how many tasks came to
    which outcome (`waiting`: more answers are wanted)."""
    with database.opened(recipe) as engine:
        return decisions.decide(engine, recipe.annotation)


def queued(recipe: Recipe) -> list[Shown]:
    """The tasks that wait for judgements, as annotators see them."""
    with database.opened(recipe) as engine, engine.connect() as connection:
        return list(queue.waiting(connection))


def export_tasks(
    recipe: Recipe,
    tool: Tool,
    folder: Path,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> HandedOut:
    """Write the tasks that wait for judgements, the first `limit` of them, and their pictures into a new folder
    for another tool. progress: told how many pictures of how many are there."""
    campaign = Campaign(recipe.name, recipe.annotation.overlap, load_guideline(recipe.annotation.guideline))
    image_bytes = open_corpus(recipe).image_bytes
    return hand_out(tool, campaign, _waiting(recipe, limit), folder, image_bytes, progress)


def export(recipe: Recipe, name: str | None = None, progress: Callable[[int, int], None] | None = None) -> Release:
    """Decide what the answers so far decide, and write the accepted pairs as a release. Raises InputError when the
    dedup table is not the recipe's."""
    corpus = open_corpus(recipe)
    Dedup(recipe).check_rules(corpus)
    with database.opened(recipe) as engine:
        decisions.decide(engine, recipe.annotation)
        questions = load_questions(recipe.annotation.guideline)
        accepted = (_publishable(recipe, pair) for pair in decided.accepted(engine, questions))
        return write_release(recipe, corpus, accepted, name, progress, _provenance(recipe, corpus))


def takedown(recipe: Recipe, kind: str, value: str, why: str) -> int:
    """Write a tombstone, and take out of the queue what it covers; returns how many tasks were. May be done
    again. Raises InputError when there is no corpus to take it out of."""
    corpus = existing(recipe)
    stones = Tombstones.add(corpus, kind, value, why)
    if not corpus.parts("route"):
        return 0
    with database.opened(recipe) as engine:
        return withdraw_covered(engine, corpus, stones, datetime.now(UTC))


def state(recipe: Recipe) -> State:
    """How the corpus of a recipe stands: funnel, queue, releases."""
    corpus = open_corpus(recipe)
    counts: dict[str, int] = {}
    if corpus.parts("route"):
        with database.reading(recipe) as engine:
            counts = progress(engine).counts() if engine is not None else {}
    return read_state(recipe.name, corpus, counts)


def audit_annotation(recipe: Recipe, resamples: int = 200) -> Audit:
    """What the annotation came to. Only reads. resamples: bootstraps behind each interval of agreement. Raises
    InputError when there is no annotation database yet."""
    from waon_build.audit.annotation.audit import audit  # pandas: what only runs stages need not wait for it

    with annotated(recipe) as engine:
        return audit(engine, recipe.name, recipe.annotation, resamples=resamples)


@contextmanager
def annotated(recipe: Recipe) -> Iterator[Engine]:
    """The annotation database of a recipe, to read, for the length of a `with`. Raises InputError when there
    is none yet."""
    with database.reading(recipe) as engine:
        if engine is None:
            raise InputError(f"{recipe.name}: nobody was asked yet: run the recipe, which makes the annotation queue")
        yield engine


def _waiting(recipe: Recipe, limit: int | None) -> Iterator[Shown]:
    with annotated(recipe) as engine, engine.connect() as connection:
        yield from islice(queue.waiting(connection), limit)


def _crawls(recipe: Recipe) -> bool:
    return any(isinstance(source, SiteSource) for source in recipe.sources)


def _provenance(recipe: Recipe, corpus: Corpus) -> Provenance:
    """What a release says of how it came about. Nothing in it depends on when it is made."""
    with database.opened(recipe) as engine:
        judged = progress(engine)
    guideline = recipe.annotation.guideline
    return Provenance(
        funnel=as_rows(funnel(corpus)),
        guidelines={guideline: load_questions(guideline).version},
        annotators=judged.annotators,
    )


def _publishable(recipe: Recipe, pair: decided.AcceptedPair) -> Accepted:
    """A pair as it is released: a caption that an annotator wrote goes with it when it holds nothing personal."""
    written = normalised(pair.native_caption)
    is_personal = bool(languages.get(recipe.language).personal_data(written))
    return Accepted(**{**pair._asdict(), "native_caption": "" if is_personal else written})


def _frozen_pairs(recipe: Recipe) -> set[str]:
    """What was judged, and what was released: by a database that is no more, say."""
    with database.opened(recipe) as engine:
        return decided.frozen_pairs(engine) | released_pairs(open_corpus(recipe))
