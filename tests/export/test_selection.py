"""Which accepted pairs are released: kept ones, permitted ones, each with its reason when not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from waon_build.corpus import Part
from waon_build.export.release import Accepted, export
from waon_build.records import PAIR, Evidence, InputError
from waon_build.rights.tombstones import Tombstones


def released(made: Any, accepted: list[Accepted] | None = None) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """The rows of a release by pair_id, and what was left out, by reason."""
    release = export(made.recipe, made.corpus, made.accepted if accepted is None else accepted)
    rows = [row for path in sorted(Path(release.url).glob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    assert release.accepted.adds_up
    assert release.accepted.kept == len(rows) == sum(release.samples.values())
    return {row["pair_id"]: row for row in rows}, dict(release.accepted.dropped)


def test_only_accepted_pairs_are_released(made: Any) -> None:
    rows, dropped = released(made, made.accepted[:4])
    assert sorted(rows) == sorted(row.pair_id for row in made.accepted[:4])
    assert dropped == {}


def test_what_natives_said_goes_with_the_sample(made: Any) -> None:
    rows, _ = released(made)
    for said in made.accepted:
        row = rows[said.pair_id]
        assert Accepted(*(row[name] for name in Accepted._fields)) == said


def test_a_pair_that_dedup_no_longer_keeps_is_left_out(made: Any) -> None:
    made.clusters[0] |= {"canonical": False, "reason": "same_picture"}
    made.recluster()
    rows, dropped = released(made)
    assert made.clusters[0]["pair_id"] not in rows
    assert dropped == {"no_longer_kept": 1}


def test_a_pair_that_the_corpus_no_longer_has_is_left_out(made: Any) -> None:
    _, dropped = released(made, [*made.accepted, Accepted("f" * 16, 2, 3.0, "ja", "")])
    assert dropped == {"not_in_corpus": 1}


def test_a_pair_whose_image_part_was_made_again_without_it_is_left_out(made: Any) -> None:
    rows = [row for row in made.rows.values() if row["stored_in"] == "g0001-000000"]
    with made.corpus.write("image", Part("g0001-000000", "", "y"), PAIR) as writer:
        for row in rows[1:]:
            writer.keep(row)
        writer.commit()
    found, dropped = released(made)
    assert rows[0]["pair_id"] not in found
    assert dropped == {"not_in_corpus": 1}


@pytest.mark.parametrize("kind", ["url", "pair_id", "sha256", "phash"])
def test_a_pair_that_was_taken_down_since_is_left_out(made: Any, kind: str) -> None:
    row = next(iter(made.rows.values()))
    Tombstones.add(made.corpus, kind, row[kind], "asked")
    rows, dropped = released(made)
    assert row["pair_id"] not in rows
    assert dropped == {"taken_down": 1}


def test_a_pair_that_dedup_found_taken_down_is_counted_as_that(made: Any) -> None:
    made.clusters[0] |= {"canonical": False, "reason": "taken_down"}
    made.recluster()
    assert released(made)[1] == {"taken_down": 1}


def test_no_release_holds_a_picture_whose_evidence_says_no(tmp_path: Path, make_corpus: Callable[..., Any]) -> None:
    """It should never have been fetched; the export looks once more, and never trusts that."""

    def refuse(number: int, row: dict[str, Any]) -> None:
        if number == 3:
            row["rights"] = [Evidence("tdmrep", "https://example.jp/", "1", True), *row["rights"]]

    made = make_corpus(str(tmp_path / "corpus"), change=refuse)
    rows, dropped = released(made)
    assert len(rows) == 11
    assert dropped == {"rights_refused": 1}


def test_a_pair_that_stands_on_several_pages_is_one_sample(made: Any) -> None:
    """And the same one, in whatever order the pages were read."""
    rows = [row for row in made.rows.values() if row["stored_in"] == "g0001-000000"]
    twin = rows[0] | {"candidate_id": "0" * 16, "page_url": "https://example.jp/first.html"}
    for order in ([*rows, twin], [twin, *rows]):
        with made.corpus.write("image", Part("g0001-000000", "", "y"), PAIR) as writer:
            for row in order:
                writer.keep(row)
            writer.commit()
        found, dropped = released(made)
        assert found[twin["pair_id"]]["page_url"] == "https://example.jp/first.html"
        assert dropped == {}


def test_hosts_are_mixed(tmp_path: Path, make_corpus: Callable[..., Any]) -> None:
    made = make_corpus(str(tmp_path / "corpus"), 60, samples_per_shard=60, splits={"train": 1.0})
    rows, _ = released(made)
    found = [row["url"].split("/")[2] for row in rows.values()]
    runs = 1 + sum(a != b for a, b in itertools.pairwise(found))
    assert runs > 25  # 40 expected of 60 at random among three hosts; 3 if they were sorted


def test_what_is_not_known_is_an_empty_text(tmp_path: Path, make_corpus: Callable[..., Any]) -> None:
    def forget(number: int, row: dict[str, Any]) -> None:
        row["page_title"] = row["captured_at"] = row["licence_url"] = None

    rows, _ = released(make_corpus(str(tmp_path / "corpus"), 3, change=forget))
    assert all(row["page_title"] == row["captured_at"] == row["licence_url"] == "" for row in rows.values())


def test_nothing_to_release_is_said_in_one_line(made: Any) -> None:
    with pytest.raises(InputError, match=r"no accepted pair is left to release \(none was accepted\): annotate first"):
        export(made.recipe, made.corpus, [])
    with pytest.raises(InputError, match="1 not_in_corpus"):
        export(made.recipe, made.corpus, [Accepted("f" * 16, 2, 3.0, "ja", "")])


def test_a_corpus_without_a_dedup_table_is_said_in_one_line(made: Any) -> None:
    made.corpus.remove_part("dedup", "clusters")
    with pytest.raises(InputError, match="there is no dedup table: run the recipe first"):
        export(made.recipe, made.corpus, made.accepted)


def test_images_of_two_formats_are_refused(tmp_path: Path, make_corpus: Callable[..., Any]) -> None:
    """datasets would show the format of the first five samples, and lose all others without a word."""

    def other(number: int, row: dict[str, Any]) -> None:
        row["format"] = "webp" if number == 7 else "jpg"

    made = make_corpus(str(tmp_path / "corpus"), change=other)
    with pytest.raises(InputError, match="jpg and webp, and loaders take one format"):
        export(made.recipe, made.corpus, made.accepted)


@pytest.mark.parametrize("match", [float("nan"), float("inf")])
def test_an_answer_that_is_no_number_is_refused(made: Any, match: float) -> None:
    with pytest.raises(ValueError, match="JSON has no such number"):
        export(made.recipe, made.corpus, [made.accepted[0]._replace(match=match)])


def test_a_pair_cannot_be_accepted_twice(made: Any) -> None:
    with pytest.raises(ValueError, match="1 pairs were accepted twice"):
        export(made.recipe, made.corpus, [*made.accepted, made.accepted[0]])


def test_clusters_are_never_split(tmp_path: Path, make_corpus: Callable[..., Any]) -> None:
    made = make_corpus(str(tmp_path / "corpus"), 40)
    for number, row in enumerate(made.clusters):
        row["cluster_id"] = f"cluster-{number // 4}"
    made.recluster()
    rows, _ = released(made)
    splits: dict[str, set[str]] = {}
    for row in rows.values():
        splits.setdefault(row["cluster_id"], set()).add(row["split"])
    assert len(splits) == 10
    assert {len(found) for found in splits.values()} == {1}
    assert set().union(*splits.values()) == {"train", "validation"}
