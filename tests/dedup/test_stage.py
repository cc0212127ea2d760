"""Which pair of a cluster is kept, why the others go, and what makes the table anew."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from waon_build.corpus import Part
from waon_build.dedup.phash import to_hex
from waon_build.dedup.stage import Dedup
from waon_build.part_writer import SAMPLED_DROPS
from waon_build.records import CLUSTER, PAIR, InputError, Reason
from waon_build.rights.tombstones import Tombstones


def reasons(table: dict[str, dict[str, Any]], *rows: dict[str, Any]) -> list[str]:
    return [table[one["pair_id"]]["reason"] for one in rows]


# --- one picture


def test_of_two_sizes_of_one_picture_the_larger_stays(made: Any) -> None:
    look = made.look(1)
    small = made.row("small", look, "縁側で眠る猫の親子", side=200)
    large = made.row("large", look.moved(6, 20), "猫", side=400)
    other = made.row("other", made.look(2), "犬")
    made.part("g0001-000000", [small, other])
    made.part("g0001-000001", [large])
    table = made.table()
    assert table[small["pair_id"]] == {
        "image_part": "g0001-000000",
        "cluster_id": large["pair_id"],
        "canonical": False,
        "reason": "near_duplicate_image",
    }
    assert table[large["pair_id"]] == {
        "image_part": "g0001-000001",
        "cluster_id": large["pair_id"],
        "canonical": True,
        "reason": "",
    }
    assert table[other["pair_id"]]["canonical"]
    assert made.tally.rows.to_json() == {"read": 3, "kept": 2, "dropped": {"near_duplicate_image": 1}}


@pytest.mark.parametrize(("by", "by256", "joined"), [(8, 30, True), (10, 30, False), (8, 32, False), (0, 32, False)])
def test_both_radii_decide(made: Any, by: int, by256: int, joined: bool) -> None:
    a = made.row("a", made.look(1))
    b = made.row("b", made.look(1).moved(by, by256))
    made.part("p", [a, b])
    table = made.table()
    assert (table[a["pair_id"]]["cluster_id"] == table[b["pair_id"]]["cluster_id"]) is joined


def test_a_pair_that_stands_on_two_pages_is_one_row(made: Any) -> None:
    first, again = made.row("a", made.look(1), page="1"), made.row("a", made.look(1), page="2")
    made.part("p", [first])
    made.part("q", [again])
    table = made.table()
    assert table[first["pair_id"]]["image_part"] == "p"
    assert made.tally.rows.to_json() == {"read": 2, "kept": 1, "dropped": {"duplicate_pair": 1}}
    [sample] = made.corpus.read("dedup", "clusters", role="dropped").to_pylist()
    assert (sample["candidate_id"], sample["reason"]) == (again["candidate_id"], "duplicate_pair")


def test_of_one_image_the_longest_caption_stays_and_more_when_asked_for(made: Any) -> None:
    rows = [made.row("a", made.look(1), caption) for caption in ("猫", "縁側で眠る猫", "縁側の猫")]
    made.part("p", rows)
    assert reasons(made.table(), *rows) == ["same_image", "", "same_image"]
    assert reasons(made.table(keep_per_cluster=2), *rows) == ["same_image", "", ""]
    assert reasons(made.table(keep_per_cluster=9), *rows) == ["", "", ""]


def test_the_best_is_the_largest_then_the_most_bytes_then_the_longest_caption(made: Any) -> None:
    look = made.look(1)
    rows = [
        made.row("a", look, "長い長い説明", side=100, size=9000),
        made.row("b", look, "長い長い説明", side=101, size=10),
        made.row("c", look, "短い", side=101, size=11),
        made.row("d", look, "少し長い", side=101, size=11),
    ]
    for order in itertools.permutations(rows):
        made.part("p", order)
        assert reasons(made.table(), *rows) == ["near_duplicate_image"] * 3 + [""]


def test_equal_bytes_are_one_image_even_where_looks_tell_nothing(made: Any) -> None:
    """A gradient looks like any other; the same file is the same file."""
    blank = {"phash": "8000000000000000", "phash256": "8" + "0" * 63}
    rows = [
        made.row("sky", made.look(1), "空", **blank),
        made.row("sky", made.look(1), "青い空", **blank),
        made.row("wall", made.look(1), "壁", **blank),
    ]
    made.part("p", rows)
    assert reasons(made.table(), *rows) == ["same_image", "", ""]


def test_a_chain_of_pictures_is_cut_at_the_largest_diameter(made: Any) -> None:
    look = made.look(1)
    bits, rest = sorted(look.bits), sorted(set(range(64)) - look.bits)

    def step(number: int) -> Any:
        """8 bits from the step before, 8 more from the one before that."""
        turned = slice(0, 4 * number)
        return type(look)((look.bits - set(bits[turned])) | set(rest[turned]), look.bits256)

    rows = [made.row(f"{number}", step(number), side=100 - number) for number in range(4)]
    made.part("p", rows)
    table = made.table()
    assert reasons(table, *rows) == ["", "near_duplicate_image", "near_duplicate_image", ""]
    assert reasons(made.table(max_diameter=24), *rows) == ["", *["near_duplicate_image"] * 3]


def test_a_chain_of_pictures_with_one_phash_is_cut_at_twice_the_second_radius(made: Any) -> None:
    """Words on white share all 64 bits, and differ by a few of 256 from one to the next."""
    look = made.look(1)
    bits, rest = sorted(look.bits256), sorted(set(range(256)) - look.bits256)
    steps = [
        type(look)(look.bits, (look.bits256 - set(bits[:turned])) | set(rest[:turned])) for turned in (0, 15, 30, 45)
    ]
    rows = [made.row(f"{number}", step, side=100 - number) for number, step in enumerate(steps)]
    made.part("p", rows)
    assert reasons(made.table(), *rows) == ["", "near_duplicate_image", "near_duplicate_image", ""]


# --- people's work


def test_what_people_have_judged_stays_canonical_when_a_better_picture_comes(made: Any) -> None:
    look = made.look(1)
    judged = made.row("a", look, side=100)
    made.part("g0001-000000", [judged])
    before = made.table()[judged["pair_id"]]
    made.frozen = {judged["pair_id"]}
    better = made.row("b", look.moved(4, 10), side=1000)
    made.part("g0002-000000", [better])
    table = made.table()
    assert table[judged["pair_id"]] == before
    assert table[better["pair_id"]]["cluster_id"] == before["cluster_id"]
    assert reasons(table, better) == ["near_duplicate_image"]


def test_two_judged_pairs_that_turn_out_to_be_one_picture_are_both_kept(made: Any) -> None:
    """Judged apart, then joined by a picture between them: nothing that was judged is dropped."""
    look = made.look(1)
    rows = [made.row(name, look, name, side=side) for name, side in (("a", 100), ("b", 300), ("c", 200))]
    made.part("p", rows)
    made.frozen = {rows[0]["pair_id"], rows[2]["pair_id"], "feedfacefeedface"}
    table = made.table()
    assert reasons(table, *rows) == ["", "near_duplicate_image", ""]
    assert {one["cluster_id"] for one in table.values()} == {rows[2]["pair_id"]}


def test_a_judged_pair_leads_its_part_of_a_chain(made: Any) -> None:
    """The clusters are grown from what is frozen, whatever its size."""
    a = made.look(1)
    rows = [made.row("a", a, side=900), made.row("b", a.moved(8, 0), side=100)]
    made.part("p", rows)
    made.frozen = {rows[1]["pair_id"]}
    assert {one["cluster_id"] for one in made.table().values()} == {rows[1]["pair_id"]}


# --- what must not be kept


def test_a_picture_of_an_evaluation_set_is_kept_out(made: Any, tmp_path: Path) -> None:
    benchmark = [made.look(seed) for seed in (1, 2, 3)]
    pq.write_table(
        pa.table({"phash": [one.phash for one in benchmark], "phash256": [one.phash256 for one in benchmark]}),
        tmp_path / "benchmark.parquet",
    )
    rows = [
        made.row("same", benchmark[0]),
        made.row("near", benchmark[1].moved(8, 30)),
        made.row("not so near", benchmark[1].moved(10, 10)),
        made.row("by 64 bits alone", benchmark[2].moved(4, 100)),
        made.row("another", made.look(9)),
    ]
    made.part("p", rows)
    table = made.table(evaluation_sets=[str(tmp_path / "benchmark.parquet")])
    assert reasons(table, *rows) == ["in_evaluation_set", "in_evaluation_set", "", "", ""]


def test_where_a_list_has_64_bits_only_these_decide(made: Any, tmp_path: Path) -> None:
    (tmp_path / "benchmark.txt").write_text(made.look(3).phash + "\n")
    near, far = made.row("a", made.look(3).moved(8, 100)), made.row("b", made.look(3).moved(10, 0))
    made.part("p", [near, far])
    assert reasons(made.table(evaluation_sets=[str(tmp_path / "benchmark.txt")]), near, far) == [
        "in_evaluation_set",
        "",
    ]


def test_two_pictures_are_not_joined_by_one_of_an_evaluation_set_between_them(made: Any, tmp_path: Path) -> None:
    bits = sorted(made.look(1).bits)
    out = sorted(set(range(64)) - made.look(1).bits)
    left = made.look(1)
    middle = type(left)((left.bits - set(bits[:4])) | set(out[:4]), left.bits256)
    right = type(left)((left.bits - set(bits[:8])) | set(out[:8]), left.bits256)
    (tmp_path / "benchmark.txt").write_text(middle.phash)
    rows = [made.row("left", left), made.row("right", right)]
    made.part("p", rows)
    table = made.table(evaluation_sets=[str(tmp_path / "benchmark.txt")])
    assert reasons(table, *rows) == ["in_evaluation_set"] * 2
    assert len({one["cluster_id"] for one in table.values()}) == 2


def test_when_the_best_is_withdrawn_the_next_best_is_kept_in_the_same_cluster(made: Any) -> None:
    """Its split must not change: a cluster keeps its name."""
    look = made.look(1)
    best, next_best = made.row("a", look, side=900), made.row("b", look.moved(2, 4), side=100)
    made.part("p", [best, next_best])
    before = made.table()
    Tombstones.add(made.corpus, "pair_id", best["pair_id"], "asked for")
    after = made.table()
    assert reasons(after, best, next_best) == ["taken_down", ""]
    assert [one["cluster_id"] for one in after.values()] == [one["cluster_id"] for one in before.values()]
    made.frozen = {best["pair_id"]}
    assert reasons(made.table(), best, next_best) == ["taken_down", ""]


def test_a_pair_is_withdrawn_when_any_of_its_pages_is(made: Any) -> None:
    first, again = made.row("a", made.look(1), page="1"), made.row("a", made.look(1), page="2")
    made.part("p", [first, again])
    Tombstones.add(made.corpus, "url", "https://example.jp/2.html", "asked for")
    assert reasons(made.table(), first) == ["taken_down"]
    assert made.tally.rows.to_json() == {"read": 2, "kept": 0, "dropped": {"duplicate_pair": 1, "taken_down": 1}}


# --- the contract


def crowd(made: Any, seed: int, n: int) -> list[dict[str, Any]]:
    """Rows of a few pictures in many versions, with repeats."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        look = made.look(int(random.integers(5)))
        version = int(random.integers(4))
        by, by256 = 2 * random.integers(0, 5, 2)
        look = look.moved(int(by), int(3 * by256), version)
        image = f"{look.phash} {look.phash256}"
        side = 100 + int(look.phash[:1], 16)
        rows.append(made.row(image, look, f"説明{random.integers(3)}", side=side, page=str(random.integers(3))))
    return rows


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), parts=st.integers(1, 5), frozen=st.floats(0, 0.5))
def test_the_order_of_rows_and_parts_changes_nothing(made: Any, seed: int, n: int, parts: int, frozen: float) -> None:
    random = np.random.default_rng(seed)
    rows = crowd(made, seed, n)
    judged = {one["pair_id"] for one in rows if random.random() < frozen}
    tables = []
    for _ in range(2):
        random.shuffle(rows)
        fresh = made.fresh(frozen=judged)
        for number, piece in enumerate(np.array_split(np.arange(n), parts)):
            fresh.part(f"p{number}", [rows[at] for at in piece])
        table = fresh.table()
        assert fresh.tally.rows.read == n
        assert sum(one["canonical"] for one in table.values()) == fresh.tally.rows.kept
        assert all(table[one]["canonical"] for one in judged)
        assert all(one["canonical"] == (one["reason"] == "") for one in table.values())
        assert all(table[one["cluster_id"]]["canonical"] for one in table.values())
        tables.append({name: {**one, "image_part": ""} for name, one in table.items()})
    assert tables[0] == tables[1]


def test_two_runs_on_the_same_parts_give_the_same_bytes(made: Any) -> None:
    made.part("p", crowd(made, 1, 80))
    made.part("q", crowd(made, 2, 80))
    made.table()
    before = made.tally.digest, made.corpus.fs.cat_file(made.corpus.file("dedup", "clusters", "dropped"))
    made.table()
    assert (made.tally.digest, made.corpus.fs.cat_file(made.corpus.file("dedup", "clusters", "dropped"))) == before


def test_clusters_lie_together_the_kept_pair_first(made: Any) -> None:
    made.part("p", crowd(made, 3, 100))
    made.table()
    rows = made.corpus.read("dedup", "clusters").to_pylist()
    runs = [list(run) for _, run in itertools.groupby(rows, key=lambda one: one["cluster_id"])]
    assert len(runs) == len({one["cluster_id"] for one in rows}) > 5
    assert all(run[0]["pair_id"] == run[0]["cluster_id"] for run in runs)


def test_the_table_is_written_in_pieces_without_a_seam(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made.part("p", crowd(made, 4, 100))
    whole = made.table()
    monkeypatch.setattr("waon_build.dedup.stage._BATCH", 3)
    assert made.table() == whole


def test_a_few_dropped_pairs_of_each_reason_are_kept_whole_for_people_to_judge(made: Any) -> None:
    look = made.look(1)
    rows = [made.row("a", look, f"説明 {number}", page=str(number), context="近くの文") for number in range(20)]
    made.part("p", [made.row("b", look.moved(2, 2), side=900)])
    made.part("q", rows)
    made.table()
    sampled = made.corpus.read("dedup", "clusters", role="dropped")
    assert sampled.schema.names == [*PAIR.names, "reason"]
    assert sampled["reason"].to_pylist() == ["near_duplicate_image"] * SAMPLED_DROPS
    by_id = {one["pair_id"]: one for one in rows}
    for one in sampled.to_pylist():
        assert {name: one[name] for name in ("candidate_id", "caption", "url", "context")} == {
            name: by_id[one["pair_id"]][name] for name in ("candidate_id", "caption", "url", "context")
        }


def test_parts_without_rows_give_a_table_without_rows(made: Any) -> None:
    made.part("p", [])
    assert made.table() == {}
    assert made.corpus.read("dedup", "clusters").schema.names == CLUSTER.names


def test_without_image_parts_there_is_nothing_to_do(made: Any) -> None:
    assert Dedup(made.recipe()).inputs(made.corpus) == []


def test_a_corpus_in_an_object_store_is_read_and_written_like_a_folder(made: Any) -> None:
    remote = made.fresh(f"memory://dedup-{id(made)}")
    for one in (made, remote):
        one.part("p", crowd(made, 5, 40))
    assert remote.table() == made.table()


# --- what makes the table anew


@pytest.fixture
def part_of(made: Any) -> Any:
    def part_of(frozen: set[str] | None = None, **dedup: Any) -> Part:
        [part] = Dedup(made.recipe(**dedup), frozen=lambda: frozen or set()).inputs(made.corpus)
        return part

    return part_of


def test_the_table_is_made_anew_for_what_shapes_it(made: Any, part_of: Any, tmp_path: Path) -> None:
    made.part("p", crowd(made, 1, 5))
    seen = {part_of()}
    for change in ({"radius": 4}, {"second_radius": 20}, {"max_diameter": 12}, {"keep_per_cluster": 2}):
        seen.add(part_of(**change))
    listed = tmp_path / "benchmark.txt"
    for content in ("9fee256238984d71", "9fee256238984d72"):
        listed.write_text(content)
        seen.add(part_of(evaluation_sets=[str(listed)]))
    Tombstones.add(made.corpus, "host", "example.com", "asked for")
    seen.add(part_of())
    made.part("q", crowd(made, 2, 5))
    seen.add(part_of())
    assert len({part.fingerprint for part in seen}) == 9


def test_the_table_is_not_made_anew_for_a_judgement_or_the_place_of_a_list(
    made: Any, part_of: Any, tmp_path: Path
) -> None:
    rows = crowd(made, 1, 5)
    made.part("p", rows)
    assert part_of() == part_of(frozen={rows[0]["pair_id"]})
    lists = [tmp_path / "here.txt", tmp_path / "there.txt"]
    for one in lists:
        one.write_text("9fee256238984d71")
    assert part_of(evaluation_sets=[str(lists[0])]) == part_of(evaluation_sets=[str(lists[1])])


def test_a_table_of_other_rules_is_said_in_one_line_and_one_of_older_rows_is_not(made: Any, tmp_path: Path) -> None:
    """Who releases looks at each pair for itself, but not for what looks like it."""
    listed = tmp_path / "benchmark.txt"
    listed.write_text(made.look(3).phash)
    made.part("p", [made.row("a", made.look(1))])
    Dedup(made.recipe()).check_rules(made.corpus)
    made.table(evaluation_sets=[str(listed)])
    made.part("q", [made.row("b", made.look(2))])
    Tombstones.add(made.corpus, "host", "gone.example", "a test")
    rules = Dedup(made.recipe(evaluation_sets=[str(listed)]))
    rules.check_rules(made.corpus)
    listed.write_text(made.look(4).phash)
    for stage in (rules, Dedup(made.recipe()), Dedup(made.recipe(radius=4))):
        with pytest.raises(InputError, match=r"other `dedup` settings or evaluation sets .*: run the recipe"):
            stage.check_rules(made.corpus)


def test_every_reason_of_the_stage_is_told_with_what_and_why() -> None:
    told = {name: reason for name, reason in Reason.all.items() if name.startswith("dedup.")}
    assert len(told) == 5
    assert all(reason.what and reason.why for reason in told.values())


# --- at scale


@pytest.mark.slow
def test_a_pair_takes_tens_of_bytes(made: Any) -> None:
    """100 million pairs are one machine's work: what is held of each is numbers."""
    n, parts = 400_000, 20
    random = np.random.default_rng(0)
    for number in range(parts):
        made.corpus.fs.makedirs(made.corpus.path("image"), exist_ok=True)
        table = _random_rows(random, n // parts)
        with made.corpus.write("image", Part(f"p{number:02}", "", "x"), PAIR) as writer:
            writer.append_table(table)
            writer.rows.read = writer.rows.kept = len(table)
            writer.commit()
    stage = Dedup(made.recipe())
    [part] = stage.inputs(made.corpus)
    tracemalloc.start()
    try:
        tally = stage.run(made.corpus, part)
        peak = tracemalloc.get_traced_memory()[1] / n
    finally:
        tracemalloc.stop()
    assert tally.rows.kept == n
    assert peak < 300, f"{peak:.0f} bytes a pair"


def _random_rows(random: np.random.Generator, n: int) -> pa.Table:
    def digits(words: int) -> pa.Array:
        columns = [to_hex(random.integers(0, 2**64, n, dtype=np.uint64)).to_pylist() for _ in range(words)]
        return pa.array(["".join(row) for row in zip(*columns, strict=True)])

    columns: dict[str, Any] = {"pair_id": digits(1), "sha256": digits(4), "phash": digits(1), "phash256": digits(4)}
    for name in ("original_width", "original_height", "size"):
        columns[name] = random.integers(100, 1000, n)
    columns["caption"] = ["説明"] * n
    return pa.table([columns.get(name, pa.nulls(n)) for name in PAIR.names], names=PAIR.names).cast(PAIR)
