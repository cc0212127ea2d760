"""The export: complete or not there, the same bytes for the same pairs, a name that follows from content."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest

from waon_build.export import place as module
from waon_build.export.release import Provenance, export, releases
from waon_build.export.verify import verify
from waon_build.records import InputError, digest16
from waon_build.rights.tombstones import Tombstones

Digests = Callable[[str], dict[str, str]]


def test_a_release_holds_all_that_is_needed_to_read_and_check_it(made: Any, digests: Digests) -> None:
    release = export(made.recipe, made.corpus, made.accepted)
    assert release.samples == {"train": 7, "validation": 5}
    shards = ["made-train-000000", "made-train-000001", "made-validation-000000"]
    assert sorted(digests(release.url)) == sorted(
        [f"{shard}{suffix}" for shard in shards for suffix in (".tar", ".parquet", "_stats.json")]
        + ["made-train.wids.json", "made-validation.wids.json", "sizes.json", "SHA256SUMS"]
        + ["README.md", "croissant.json", "release.json", "tombstones.jsonl"]
    )
    assert verify(release.url, made.corpus).failures == []


def test_two_exports_of_the_same_pairs_give_identical_bytes(
    tmp_path: Path, make_corpus: Callable[..., Any], digests: Digests
) -> None:
    """In two corpora at two places, their pairs found in another order and in other parts."""
    here = make_corpus(str(tmp_path / "here"), 30, parts=1)
    there = make_corpus(str(tmp_path / "there"), 30, parts=4)
    accepted = here.accepted
    first = export(here.recipe, here.corpus, accepted)
    second = export(there.recipe.model_copy(update={"corpus": "x"}), there.corpus, reversed(accepted))
    assert first.name == second.name
    assert digests(first.url) == digests(second.url)


@pytest.mark.slow
def test_a_pool_of_processes_writes_the_same_bytes_as_one(
    tmp_path: Path, make_corpus: Callable[..., Any], digests: Digests, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_corpus(str(tmp_path / "corpus"), 20)
    alone = export(made.recipe, made.corpus, made.accepted, name="alone")
    monkeypatch.setattr("waon_build.export.workers.WORTH_A_POOL", 0.0)
    pooled = made.recipe.model_copy(update={"runtime": made.recipe.runtime.model_copy(update={"workers": 2})})
    together = export(pooled, made.corpus, made.accepted, name="together")
    named = {"README.md", "croissant.json", "release.json", "SHA256SUMS"}
    one, two = digests(alone.url), digests(together.url)
    assert {name: one[name] for name in one.keys() - named} == {name: two[name] for name in two.keys() - named}
    assert verify(together.url, workers=2).ok


def test_exporting_the_same_again_changes_nothing(made: Any, digests: Digests) -> None:
    first = export(made.recipe, made.corpus, made.accepted)
    before = {path.name: path.stat().st_mtime_ns for path in Path(first.url).iterdir()}
    again = export(made.recipe, made.corpus, made.accepted)
    assert first.is_new
    assert not again.is_new
    assert again._replace(is_new=True) == first
    assert before == {path.name: path.stat().st_mtime_ns for path in Path(first.url).iterdir()}


@pytest.mark.parametrize(
    "change",
    [
        {"export": {"seed": 1}},
        {"export": {"samples_per_shard": 4}},
        {"export": {"licence": "cc-by-4.0"}},
        {"annotation": {"min_match": 3}},
    ],
)
def test_what_a_release_says_changes_its_name(made: Any, change: dict[str, Any]) -> None:
    """One name is one content: a card that says something else is another release."""
    first = export(made.recipe, made.corpus, made.accepted)
    settings = made.recipe.model_dump()
    for section, values in change.items():
        settings[section] |= values
    assert export(type(made.recipe).model_validate(settings), made.corpus, made.accepted).name != first.name


def test_where_it_is_made_does_not_change_its_name(made: Any) -> None:
    first = export(made.recipe, made.corpus, made.accepted)
    moved = made.recipe.model_dump() | {"corpus": "elsewhere", "runtime": {"workers": 7, "retries": 0}}
    assert not export(type(made.recipe).model_validate(moved), made.corpus, made.accepted).is_new
    assert releases(made.corpus) == [first.name]


def test_an_answer_that_changed_makes_another_release(made: Any) -> None:
    first = export(made.recipe, made.corpus, made.accepted)
    changed = [made.accepted[0]._replace(culture="other"), *made.accepted[1:]]
    assert export(made.recipe, made.corpus, changed).name != first.name


def test_a_name_of_ones_own_is_taken_and_never_taken_over(made: Any, digests: Digests) -> None:
    release = export(made.recipe, made.corpus, made.accepted, name="v1")
    before = digests(release.url)
    assert release.url.endswith("/releases/v1")
    assert not export(made.recipe, made.corpus, made.accepted, name="v1").is_new
    with pytest.raises(InputError, match="releases/v1: is there already, with other content: give another name"):
        export(made.recipe, made.corpus, made.accepted[1:], name="v1")
    assert digests(release.url) == before


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a b", "-x", "é"])
def test_a_name_that_is_no_folder_is_refused(made: Any, name: str) -> None:
    with pytest.raises(InputError, match="release name"):
        export(made.recipe, made.corpus, made.accepted, name=name)


def test_one_sample_is_a_release(tmp_path: Path, make_corpus: Callable[..., Any]) -> None:
    made = make_corpus(str(tmp_path / "corpus"), 1, parts=1)
    release = export(made.recipe, made.corpus, made.accepted)
    assert sum(release.samples.values()) == release.shards == 1
    assert verify(release.url).ok


def test_a_split_without_samples_is_not_written(tmp_path: Path, make_corpus: Callable[..., Any]) -> None:
    made = make_corpus(str(tmp_path / "corpus"), 4, splits={"validation": 0.0, "train": 1.0})
    release = export(made.recipe, made.corpus, made.accepted)
    assert release.samples == {"train": 4}
    assert not [path for path in Path(release.url).iterdir() if "validation" in path.name]
    assert verify(release.url).ok


@pytest.mark.parametrize("form", ["webp", "png"])
def test_images_keep_their_format(tmp_path: Path, make_corpus: Callable[..., Any], form: str) -> None:
    made = make_corpus(str(tmp_path / "corpus"), 3, form=form)
    release = export(made.recipe, made.corpus, made.accepted)
    assert verify(release.url).ok
    assert json.loads(Path(release.url, "release.json").read_bytes())["format"] == form


def test_progress_counts_samples_up_to_all(made: Any) -> None:
    seen: list[tuple[int, int]] = []
    export(made.recipe, made.corpus, made.accepted, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(5, 12), (7, 12), (12, 12)]


def test_a_takedown_makes_the_next_release_without_it(made: Any) -> None:
    first = export(made.recipe, made.corpus, made.accepted)
    gone = made.accepted[3].pair_id
    Tombstones.add(made.corpus, "pair_id", gone, "asked")
    second = export(made.recipe, made.corpus, made.accepted)
    assert sum(second.samples.values()) == 11
    assert gone.encode() not in b"".join(path.read_bytes() for path in Path(second.url).glob("*.parquet"))
    assert gone in Path(second.url, "tombstones.jsonl").read_text()
    assert verify(second.url, made.corpus).ok
    assert [str(failure).partition(": ")[2] for failure in verify(first.url, made.corpus).failures] == [
        f"{gone}: was withdrawn (the corpus's tombstones of today)"
    ]


def test_the_funnel_and_the_people_are_told(made: Any) -> None:
    funnel = [{"stage": "text", "unit": "candidates", "read": 20, "kept": 12, "dropped": {"caption_too_short": 8}}]
    known = Provenance(funnel, {"ja": "1.2"}, 3, {"match": 0.7312})
    release = export(made.recipe, made.corpus, made.accepted, provenance=known)
    readme = Path(release.url, "README.md").read_text()
    assert "| text | candidates | 20 | 12 | caption_too_short 8 |" in readme
    assert "3 annotators" in readme
    assert "`ja` 1.2" in readme
    assert "match 0.731" in readme


def test_a_release_that_lost_a_file_is_not_taken_for_whole(made: Any) -> None:
    release = export(made.recipe, made.corpus, made.accepted)
    next(Path(release.url).glob("*.tar")).unlink()
    with pytest.raises(InputError, match=r"is gone from it: remove it, and export again"):
        export(made.recipe, made.corpus, made.accepted)


def test_what_was_released_stays_in_its_split_whatever_its_cluster_is_called(made: Any) -> None:
    first = export(made.recipe, made.corpus, made.accepted)
    before = split_of_each(first.url)
    for row in made.clusters:
        row["cluster_id"] = digest16("renamed", row["cluster_id"])
    made.recluster()
    second = export(made.recipe, made.corpus, made.accepted, "second")
    assert split_of_each(second.url) == before
    assert set(before.values()) == {"train", "validation"}


def test_of_clusters_that_grow_together_across_splits_the_validation_side_goes(made: Any) -> None:
    before = split_of_each(export(made.recipe, made.corpus, made.accepted).url)
    trained, validated = (next(key for key in before if before[key] == split) for split in ("train", "validation"))
    of = {row["pair_id"]: row for row in made.clusters}
    of[validated]["cluster_id"] = of[trained]["cluster_id"]
    made.recluster()
    second = export(made.recipe, made.corpus, made.accepted, "second")
    assert split_of_each(second.url) == {key: split for key, split in before.items() if key != validated}
    assert second.accepted.dropped == {"in_two_splits": 1}
    assert verify(second.url).ok


def test_whoever_takes_the_place_of_a_released_pair_takes_its_split(made: Any) -> None:
    """The lead of a cluster was taken down, and the next best shows the same picture."""
    first, of = made.accepted, {row["pair_id"]: row for row in made.clusters}
    half = len(first) // 2
    before = split_of_each(export(made.recipe, made.corpus, first[:half]).url)
    for old, new in zip(first[:half], first[half:], strict=True):
        of[new.pair_id]["cluster_id"] = of[old.pair_id]["cluster_id"] = digest16("new name", old.pair_id)
        of[old.pair_id] |= {"canonical": False, "reason": "taken_down"}
    made.recluster()
    after = split_of_each(export(made.recipe, made.corpus, first[half:], "second").url)
    successors = {new.pair_id: before[old.pair_id] for old, new in zip(first[:half], first[half:], strict=True)}
    assert after == successors


def test_another_seed_splits_anew(made: Any) -> None:
    before = split_of_each(export(made.recipe, made.corpus, made.accepted).url)
    settings = made.recipe.export.model_copy(update={"seed": 1})
    again = export(made.recipe.model_copy(update={"export": settings}), made.corpus, made.accepted, "again")
    assert split_of_each(again.url) != before


def split_of_each(release: str) -> dict[str, str]:
    tables = [pq.read_table(path, columns=["pair_id", "split"]) for path in Path(release).glob("*.parquet")]
    return {row["pair_id"]: row["split"] for table in tables for row in table.to_pylist()}


# --- killed, full, contended


KILLED = """
    import os, signal, sys
    from waon_build.corpus import Corpus
    from waon_build.export import place, release
    from waon_build.export.release import Accepted, export
    from waon_build.recipe import Recipe

    recipe = Recipe.model_validate_json(sys.argv[1])
    accepted = [Accepted(key, 2, 2.0, "", "") for key in sys.argv[3].split(",")]
    left = int(sys.argv[2])
    module, name = (place, "written_file") if sys.argv[4] == "texts" else (release, "write_shard")
    real = getattr(module, name)

    def count(*arguments):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(module, name, count)
    export(recipe, Corpus(recipe.corpus), accepted)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("where", "after"), [("shards", 0), ("shards", 2), ("texts", 0), ("texts", 6)])
def test_a_killed_export_leaves_nothing_that_looks_like_a_release(made: Any, where: str, after: int) -> None:
    keys = ",".join(row.pair_id for row in made.accepted)
    program = [sys.executable, "-c", textwrap.dedent(KILLED), made.recipe.model_dump_json(), str(after), keys, where]
    assert subprocess.run(program, check=False).returncode == -signal.SIGKILL
    assert releases(made.corpus) == []
    left = [path.name for path in Path(made.corpus.path("releases")).iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".tmp-")
    release = export(made.recipe, made.corpus, made.accepted)
    assert [path.name for path in Path(made.corpus.path("releases")).iterdir()] == [release.name]
    assert verify(release.url).ok


FULL = """
    import resource, signal, sys
    from waon_build.corpus import Corpus
    from waon_build.export.release import Accepted, export
    from waon_build.recipe import Recipe
    from waon_build.records import InputError

    recipe = Recipe.model_validate_json(sys.argv[1])
    accepted = [Accepted(key, 2, 2.0, "", "") for key in sys.argv[3].split(",")]
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        export(recipe, Corpus(recipe.corpus), accepted)
    except InputError as error:
        print(error, end="")
        sys.exit(2)
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [29_000, 20_000, 2_000])
def test_a_disk_that_takes_no_more_is_said_in_one_line_and_leaves_nothing(made: Any, limit: int) -> None:
    """The kernel refuses to let a file grow, as it does on a full disk or past a quota."""
    keys = ",".join(row.pair_id for row in made.accepted)
    program = [sys.executable, "-c", textwrap.dedent(FULL), made.recipe.model_dump_json(), str(limit), keys]
    done = subprocess.run(program, check=False, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "\n" not in done.stdout
    assert "the release could not be written (" in done.stdout
    assert "File too large" in done.stdout
    assert list(Path(made.corpus.path("releases")).iterdir()) == []


def test_a_place_that_cannot_be_written_is_said_in_one_line(made: Any) -> None:
    Path(made.corpus.path("releases")).write_bytes(b"")
    with pytest.raises(InputError, match="releases: cannot be written"):
        export(made.recipe, made.corpus, made.accepted)


HOLDING = """
    import fcntl, os, sys, time
    held = os.open(sys.argv[1], os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_exports_of_one_corpus_do_not_meet(made: Any) -> None:
    folder = made.corpus.path("releases")
    os.makedirs(f"{folder}/.tmp-1")
    other = subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLDING), folder], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="another export is under way: wait for it"):
            export(made.recipe, made.corpus, made.accepted)
        assert os.listdir(folder) == [".tmp-1"]
    finally:
        other.kill()
        other.wait()
    export(made.recipe, made.corpus, made.accepted)
    assert len(os.listdir(folder)) == 1


# --- object stores


def test_an_object_store_gets_the_same_bytes(
    memory: str, tmp_path: Path, make_corpus: Callable[..., Any], digests: Digests
) -> None:
    local, remote = make_corpus(str(tmp_path / "corpus"), 12), make_corpus(memory, 12)
    here = export(local.recipe, local.corpus, local.accepted)
    there = export(remote.recipe, remote.corpus, remote.accepted)
    assert there.url == f"{memory}/releases/{here.name}"
    assert verify(there.url, remote.corpus).ok
    fsspec.filesystem("memory").get(f"/bucket/corpus/releases/{here.name}/", str(tmp_path / "copy/"), recursive=True)
    assert digests(str(tmp_path / "copy")) == digests(here.url)
    assert not export(remote.recipe, remote.corpus, remote.accepted).is_new


def test_an_upload_that_stops_is_no_release_and_is_swept(
    memory: str, make_corpus: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_corpus(memory, 12)
    store = made.corpus.fs
    monkeypatch.setattr(module, "_sweep", lambda corpus: None)  # as if killed: nobody cleans up

    def stop(*arguments: Any) -> None:
        raise ConnectionResetError("connection reset")

    with monkeypatch.context() as cut:
        cut.setattr(module, "sums_text", stop)
        with pytest.raises(InputError, match=r"could not be written \(connection reset\)"):
            export(made.recipe, made.corpus, made.accepted)
    (left,) = store.ls(made.corpus.path("releases"), detail=False)
    assert len(store.ls(left)) > 10
    assert releases(made.corpus) == []
    assert "was never finished" in str(verify(f"memory://{left}").failures)
    monkeypatch.undo()
    release = export(made.recipe, made.corpus, made.accepted)
    assert release.is_new
    assert verify(release.url).ok
    other = export(made.recipe, made.corpus, made.accepted[1:])
    assert releases(made.corpus) == sorted([release.name, other.name])


def test_an_upload_that_someone_else_changed_is_not_committed(memory: str, make_corpus: Callable[..., Any]) -> None:
    made = make_corpus(memory, 12)

    def meddle(done: int, total: int) -> None:
        if done == total:
            (folder,) = made.corpus.fs.ls(made.corpus.path("releases"), detail=False)
            made.corpus.fs.rm_file(f"{folder}/made-train-000000.tar")

    with pytest.raises(InputError, match="was changed by someone else during the export"):
        export(made.recipe, made.corpus, made.accepted, progress=meddle)
    assert releases(made.corpus) == []


# --- size


@pytest.mark.slow
def test_two_thousand_samples_are_exported_and_verified(tmp_path: Path, make_corpus: Callable[..., Any]) -> None:
    made = make_corpus(
        str(tmp_path / "corpus"), 2000, parts=3, samples_per_shard=400, splits={"train": 0.9, "test": 0.1}
    )
    started = time.monotonic()
    release = export(made.recipe, made.corpus, made.accepted)
    assert sum(release.samples.values()) == 2000
    assert 150 < release.samples["test"] < 250
    report = verify(release.url, made.corpus, workers=1)
    assert report.failures == []
    assert report.samples == 2000
    assert time.monotonic() - started < 120
