"""The export: accepted pairs to a release of WebDataset shards, with all that is needed to check it.

A release is complete or not there (see `place`), and its name follows from its content, so that
exporting the same again changes nothing. Nothing here asks the annotation database: what natives
accepted is handed in.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from waon_build.corpus import Corpus
from waon_build.export.card import FILE as CARD
from waon_build.export.card import card
from waon_build.export.croissant import FILE as CROISSANT
from waon_build.export.croissant import croissant
from waon_build.export.earlier import released_splits
from waon_build.export.facts import FILE as RELEASE
from waon_build.export.facts import Facts, Provenance, release_json
from waon_build.export.index import SIZES, SUMS, read_sums, sizes_json, wids_json, wids_name
from waon_build.export.place import FOLDER, Place, place_for, releases, workplace
from waon_build.export.selection import Accepted, Shard, select
from waon_build.export.shards import WrittenFile, write_shard
from waon_build.export.withdrawn import FILE as TOMBSTONES
from waon_build.export.withdrawn import to_jsonl
from waon_build.export.workers import each
from waon_build.recipe import Recipe
from waon_build.records import Counts, InputError
from waon_build.rights.tombstones import Tombstones

__all__ = ["Accepted", "Provenance", "Release", "export", "releases"]

VERSION = 1
"""Of the release's layout: raise it, and the same pairs make a release of another name."""


SECONDS_A_SAMPLE = 0.001
"""That writing one takes (measured, pictures of 100 KB)."""


class Release(NamedTuple):
    """A release. url: of its folder. samples: split -> samples. accepted: what became of the accepted
    pairs. is_new: whether this export wrote it, or found it already there."""

    name: str
    url: str
    samples: dict[str, int]
    shards: int
    accepted: Counts
    is_new: bool


def export(
    recipe: Recipe,
    corpus: Corpus,
    accepted: Iterable[Accepted],
    name: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    provenance: Provenance | None = None,
) -> Release:
    """Write the accepted pairs that are still kept as `CORPUS/releases/NAME`.

    name: by default `r` and the first digits of a digest over all that the release says and shows.
    progress: called with samples done and samples in all. provenance: what its card tells of its making.
    Raises InputError when nothing is left to release, `name` is another release, the disk is full, or
    another export of this corpus is under way.
    """
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise InputError(f"release name {name!r}: give one of letters, digits, dots, - and _")
    with workplace(corpus) as folder:
        tombstones = Tombstones.load(corpus)
        released = released_splits(corpus, recipe.export.splits, recipe.export.seed)
        selection = select(recipe, corpus, accepted, tombstones, folder, released)
        facts = Facts(
            recipe,
            provenance or Provenance(),
            selection.format,
            selection.shards,
            selection.counts,
            len(tombstones.stones),
        )
        listed = to_jsonl(tombstones.stones)
        content = _content(facts, selection.digest, listed)
        facts = facts._replace(name=name or f"r{content[:12]}", content=content)
        is_new = not _is_there(corpus, facts)
        if is_new:
            place = place_for(corpus, facts.name, folder)
            _write(place, selection.rows, facts, listed, progress)
    url = f"{corpus.url}/{FOLDER}/{facts.name}"
    return Release(facts.name, url, facts.samples, len(facts.shards), facts.accepted, is_new)


def _content(facts: Facts, samples_digest: str, tombstones: bytes) -> str:
    """A digest of all that the release will say and show. facts: without a name. 64 hex digits."""
    state = hashlib.sha256(f"{VERSION} {samples_digest} {facts.shards}".encode())
    for text in (release_json(facts), card(facts), croissant(facts), tombstones):
        state.update(hashlib.sha256(text).digest())
    return state.hexdigest()


def _is_there(corpus: Corpus, facts: Facts) -> bool:
    """Whether this very release is there. Raises InputError when its name is taken by another."""
    path = corpus.path(FOLDER, facts.name)
    if not corpus.fs.exists(path):
        return False
    try:
        content = json.loads(corpus.fs.cat_file(f"{path}/{RELEASE}"))["content"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        content = None
    if content != facts.content or not corpus.fs.exists(f"{path}/{SUMS}"):
        raise InputError(f"{path}: is there already, with other content: give another name, or none")
    try:
        named = read_sums(corpus.fs.cat_file(f"{path}/{SUMS}"))
    except ValueError as error:
        raise InputError(f"{path}/{SUMS}: {error}: remove the release, and export again") from error
    there = {name.rsplit("/", 1)[-1] for name in corpus.fs.ls(path, detail=False, refresh=True)}
    if missing := sorted(named.keys() - there):
        raise InputError(f"{path}: is there already, but {missing[0]} is gone from it: remove it, and export again")
    return True


def _write(
    place: Place, rows_file: str, facts: Facts, tombstones: bytes, progress: Callable[[int, int], None] | None
) -> None:
    files: list[WrittenFile] = []
    done, total = 0, sum(facts.samples.values())
    work = partial(_put_shard, place, rows_file)
    written = each(work, facts.shards, place.corpus.fs, total * SECONDS_A_SAMPLE, facts.recipe.runtime.workers)
    for shard, made in zip(facts.shards, written, strict=True):
        files += made
        done += shard.samples
        if progress:
            progress(done, total)
    beside = _beside(facts._replace(files=tuple(files)), tombstones)
    files += [place.put_text(name, text) for name, text in beside.items()]
    place.commit(files)


def _put_shard(place: Place, rows_file: str, shard: Shard) -> list[WrittenFile]:
    written = write_shard(place.corpus, rows_file, place.folder, shard)
    for file in written:
        place.put(file)
    return written


def _beside(facts: Facts, tombstones: bytes) -> dict[str, bytes]:
    """The files beside the shards, by name, all but the last one."""
    corpus, tars = facts.recipe.name, {file.name: file for file in facts.files}
    return {
        SIZES: sizes_json(facts.shards),
        **{wids_name(corpus, split): wids_json(corpus, split, facts.shards, tars) for split in facts.samples},
        TOMBSTONES: tombstones,
        RELEASE: release_json(facts),
        CARD: card(facts),
        CROISSANT: croissant(facts),
    }
