"""The stages `text` and `image`, over real parts."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from waon_build.batches import BATCHES, PLANNED
from waon_build.corpus import Corpus, Part
from waon_build.filters.stage import FilterImage, FilterText
from waon_build.recipe import Recipe
from waon_build.records import CANDIDATE, IMAGE, PAIR, Candidate, Evidence, Image, InputError, Tally, pair_id

ROBOTS = Evidence("robots_meta", "https://example.com/", "index", False)
HEADER = Evidence("x_robots_tag", "https://example.com/a.jpg", "all", False)


def recipe(corpus: Corpus, **filters: object) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "test",
            "corpus": corpus.url,
            "sources": [{"kind": "table", "paths": ["unused.parquet"]}],
            "filters": filters,
        }
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(str(tmp_path / "corpus"))


def candidate(caption: str, name: str = "a", page_language: str = "ja") -> Candidate:
    return Candidate(
        f"https://example.com/{name}.jpg",
        caption,
        "alt",
        page_url="https://example.com/",
        page_language=page_language,
        context="電話は03-1234-5678",
        rights=[ROBOTS],
    )


def extract(corpus: Corpus, name: str, candidates: Sequence[Candidate], fingerprint: str = "0") -> Tally:
    with corpus.write("extract", Part(name, name, fingerprint), CANDIDATE) as writer:
        for one in candidates:
            writer.keep(one)
        return writer.commit()


def run_all(stage: FilterText | FilterImage, corpus: Corpus) -> list[Tally]:
    """Run what is missing or stale, as the pipeline does."""
    todo = [part for part in stage.inputs(corpus) if not corpus.is_current(stage.name, part)]
    return [stage.run(corpus, part) for part in todo]


CAPTIONS = [
    "東京都庁舎",
    "IMG_0123.jpg",
    "桜並木を歩く人",
    "ロゴ",
    "聊天机器人",
    "iPhone 15 の写真",
    "連絡はtaro@example.jpまで",
    "a cat",
]


class TestFilterText:
    def test_candidates_go_on_in_their_order_or_leave_one_reason(self, corpus: Corpus):
        extract(corpus, "one", [candidate(caption, str(n)) for n, caption in enumerate(CAPTIONS)])
        (tally,) = run_all(FilterText(recipe(corpus)), corpus)
        assert corpus.read("text", "one")["caption"].to_pylist() == ["東京都庁舎", "桜並木を歩く人", "iPhone 15 の写真"]
        assert corpus.read("text", "one").schema.equals(CANDIDATE)
        assert (tally.rows.read, tally.rows.kept) == (8, 3)
        assert tally.rows.dropped == {
            "caption_is_file_name": 1,
            "caption_is_boilerplate": 1,
            "caption_in_other_language": 1,
            "caption_has_email": 1,
            "caption_in_other_script": 1,
        }

    def test_a_row_that_goes_on_is_not_changed(self, corpus: Corpus):
        rows = [candidate("ﾊﾝｶｸ の 看板"), candidate("猫の写真")]
        extract(corpus, "one", [replace(row, context="2024年の東京") for row in rows])
        run_all(FilterText(recipe(corpus)), corpus)
        assert corpus.read("text", "one").to_pylist() == corpus.read("extract", "one").to_pylist()

    def test_what_reaches_a_person_beside_a_caption_is_blanked(self, corpus: Corpus):
        """Title and context are released with the picture."""
        row = candidate("桜並木を歩く人")
        rows = [replace(row, page_title="山田太郎 090-1234-5678", context="連絡はtaro@example.jpまで")]
        rows += [replace(row, url=f"{row.url}2", page_title="目黒川の桜", context="春の目黒川", candidate_id="")]
        extract(corpus, "one", rows)
        run_all(FilterText(recipe(corpus)), corpus)
        kept = corpus.read("text", "one").to_pylist()
        assert [(one["page_title"], one["context"]) for one in kept] == [("", ""), ("目黒川の桜", "春の目黒川")]
        run_all(FilterText(recipe(corpus, text={"personal_data": False})), corpus)
        assert corpus.read("text", "one").to_pylist() == corpus.read("extract", "one").to_pylist()

    def test_the_page_language_decides_where_script_cannot(self, corpus: Corpus):
        extract(corpus, "one", [candidate("富士山", "a", "ja"), candidate("富士山", "b", "zh")])
        run_all(FilterText(recipe(corpus)), corpus)
        assert corpus.read("text", "one")["page_language"].to_pylist() == ["ja"]

    def test_a_sampled_drop_shows_no_personal_data(self, corpus: Corpus):
        extract(corpus, "one", [candidate("連絡は taro@example.jp か03-1234-5678まで", "a"), candidate("ロゴ", "b")])
        run_all(FilterText(recipe(corpus)), corpus)
        dropped = {row["reason"]: row for row in corpus.read("text", "one", role="dropped").to_pylist()}
        told = dropped["caption_has_email"]
        assert (told["caption"], told["context"]) == ("連絡は ***@example.jp か00-0000-0000まで", "")
        assert dropped["caption_is_boilerplate"]["caption"] == "ロゴ"

    def test_the_same_input_gives_the_same_bytes(self, corpus: Corpus, tmp_path: Path):
        other = Corpus(str(tmp_path / "other"))
        digests = []
        for place in (corpus, other):
            extract(place, "one", [candidate(f"{caption}", str(n)) for n, caption in enumerate(CAPTIONS * 50)])
            digests.append([tally.files for tally in run_all(FilterText(recipe(place)), place)])
        assert digests[0] == digests[1]

    def test_a_part_is_redone_when_and_only_when_what_shapes_it_changed(self, corpus: Corpus):
        extract(corpus, "one", [candidate("桜並木")])
        extract(corpus, "two", [candidate("夕焼け")])
        assert len(run_all(FilterText(recipe(corpus)), corpus)) == 2
        assert run_all(FilterText(recipe(corpus)), corpus) == []
        assert run_all(FilterText(recipe(corpus, text={"max_repeats": 3, "max_repeats_per_host": 2})), corpus) == []
        assert run_all(FilterText(recipe(corpus, image={"min_side": 10})), corpus) == []
        assert len(run_all(FilterText(recipe(corpus, text={"min_characters": 3})), corpus)) == 2
        extract(corpus, "two", [candidate("夕焼けの海")], fingerprint="1")
        assert [t.part for t in run_all(FilterText(recipe(corpus, text={"min_characters": 3})), corpus)] == ["two"]

    def test_a_changed_data_file_of_the_language_redoes_the_stage(
        self, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
    ):
        extract(corpus, "one", [candidate("桜並木")])
        run_all(FilterText(recipe(corpus)), corpus)
        stage = FilterText(recipe(corpus))
        monkeypatch.setattr(stage, "_pack_digest", "another")
        assert len(run_all(stage, corpus)) == 1

    def test_an_empty_part_and_a_part_of_many_row_groups_are_filtered(self, corpus: Corpus):
        extract(corpus, "empty", [])
        extract(corpus, "many", [candidate(f"{n}本目の桜" if n % 3 else "ロゴ", str(n)) for n in range(23_000)])
        empty, many = run_all(FilterText(recipe(corpus)), corpus)
        assert (empty.rows.read, empty.rows.kept) == (0, 0)
        assert (many.rows.read, many.rows.kept) == (23_000, 15_333)
        assert corpus.read("text", "many").num_rows == 15_333

    def test_captions_and_languages_that_are_null_are_dropped_and_not_stumbled_over(self, corpus: Corpus):
        row = dict.fromkeys(CANDIDATE.names) | {"candidate_id": "0" * 16, "url": "https://example.com/a.jpg"}
        with corpus.write("extract", Part("one", "one", "0"), CANDIDATE) as writer:
            writer.keep(row)
            writer.keep({**row, "caption": "桜の写真"})
            writer.commit()
        (tally,) = run_all(FilterText(recipe(corpus)), corpus)
        assert tally.rows.dropped == {"caption_too_short": 1}
        assert tally.rows.kept == 1

    @pytest.mark.slow
    def test_it_runs_in_another_process(self, corpus: Corpus):
        extract(corpus, "one", [candidate(caption, str(n)) for n, caption in enumerate(CAPTIONS)])
        stage = FilterText(recipe(corpus))
        (part,) = stage.inputs(corpus)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            tally = pool.submit(pickle.loads(pickle.dumps(stage)).run, corpus, part).result()
        assert tally.rows.kept == 3

    def test_a_missing_part_and_a_missing_language_are_errors_with_a_way_out(self, corpus: Corpus):
        with pytest.raises(InputError, match="run the stages before it first"):
            FilterText(recipe(corpus)).run(corpus, Part("gone", "gone", "0"))
        with pytest.raises(InputError, match="language 'tlh'"):
            FilterText(recipe(corpus).model_copy(update={"language": "tlh"}))


# --- images


def image(name: str, **measures: object) -> Image:
    good = {
        "sha256": name * 64,
        "phash": "0123456789abcdef",
        "phash256": "0" * 64,
        "width": 512,
        "height": 384,
        "original_width": 1024,
        "original_height": 768,
        "format": "jpg",
        "served_bytes": 90_000,
        "colours": 256,
        "deviation": 40.0,
        "frames": 1,
        "rights": [HEADER],
        "stored_in": "g0001-000000",
        "offset": 512,
        "size": 4096,
    }
    return Image(f"https://example.com/{name}.jpg", "ok", **{**good, **measures})


def plan(corpus: Corpus, generation: str, rows: Sequence[tuple[Candidate, str, str]], digest: str = "d0") -> None:
    """Write one generation as the plan stage does. rows: candidate, batch, image_part; by batch, url."""
    planned = [
        {**{name: getattr(one, name) for name in CANDIDATE.names}, "batch": batch, "image_part": image_part}
        for one, batch, image_part in rows
    ]
    for row in planned:
        row["rights"] = [evidence._asdict() for evidence in row["rights"]]
    batches = [
        {
            "batch": batch,
            "candidates": len(mine),
            "urls": len({row["url"] for row in mine if row["image_part"] == batch}),
            "image_parts": sorted({row["image_part"] for row in mine}),
            "digest": digest,
            "first_row": planned.index(mine[0]),
        }
        for batch in sorted({row["batch"] for row in planned})
        for mine in [[row for row in planned if row["batch"] == batch]]
    ]
    with corpus.write("plan", Part(generation, generation, digest), PLANNED) as writer:
        for row in planned:
            writer.keep(row)
        with writer.open_file("batches", "parquet") as file:
            pq.write_table(pa.Table.from_pylist(batches, schema=BATCHES), file)
        writer.commit()


def fetch(corpus: Corpus, batch: str, images: Sequence[Image], fingerprint: str = "0") -> None:
    with corpus.write("fetch", Part(batch, batch, fingerprint), IMAGE) as writer:
        for one in images:
            writer.keep(one)
        writer.commit()


class TestFilterImage:
    def test_a_candidate_joins_its_image_or_leaves_one_reason(self, corpus: Corpus):
        batch = "g0001-000000"
        plan(corpus, "g0001", [(candidate(f"{n}の写真", n), batch, batch) for n in "abcdef"])
        fetch(
            corpus,
            batch,
            [
                image("a"),
                Image("https://example.com/b.jpg", "refused", "robots_txt"),
                Image("https://example.com/c.jpg", "failed", "timeout"),
                image("d", original_width=100),
                image("e", colours=8),
            ],
        )
        (tally,) = run_all(FilterImage(recipe(corpus)), corpus)
        assert tally.rows.dropped == {
            "image_refused": 1,
            "image_failed": 2,  # c, and f whose row is missing
            "image_too_small": 1,
            "image_too_few_colours": 1,
        }
        assert (tally.rows.read, tally.rows.kept) == (6, 1)
        pairs = corpus.read("image", batch)
        assert pairs.schema.equals(PAIR)
        (pair,) = pairs.to_pylist()
        assert pair["pair_id"] == pair_id("a" * 64, "aの写真")
        assert (pair["url"], pair["caption"], pair["sha256"]) == ("https://example.com/a.jpg", "aの写真", "a" * 64)
        assert (pair["stored_in"], pair["offset"], pair["size"]) == ("g0001-000000", 512, 4096)
        assert pair["rights"] == [ROBOTS._asdict(), HEADER._asdict()]

    def test_what_is_dropped_is_sampled_with_its_image_so_that_people_can_look(self, corpus: Corpus):
        batch = "g0001-000000"
        plan(corpus, "g0001", [(candidate("一の写真", "a"), batch, batch), (candidate("二の写真", "b"), batch, batch)])
        fetch(corpus, batch, [image("a", deviation=0.0), Image("https://example.com/b.jpg", "failed", "timeout")])
        run_all(FilterImage(recipe(corpus)), corpus)
        dropped = {row["reason"]: row for row in corpus.read("image", batch, role="dropped").to_pylist()}
        assert dropped["image_blank"]["size"] == 4096
        assert dropped["image_blank"]["pair_id"] == pair_id("a" * 64, "一の写真")
        assert (dropped["image_failed"]["pair_id"], dropped["image_failed"]["size"]) == ("", 0)

    def test_one_image_with_many_captions_gives_many_pairs_in_the_order_of_the_plan(self, corpus: Corpus):
        batch = "g0001-000000"
        captions = [f"{n}番目の桜" for n in range(5)]
        plan(corpus, "g0001", [(candidate(caption), batch, batch) for caption in captions])
        fetch(corpus, batch, [image("a")])
        run_all(FilterImage(recipe(corpus)), corpus)
        assert corpus.read("image", batch)["caption"].to_pylist() == captions

    def test_an_image_of_an_earlier_generation_is_joined(self, corpus: Corpus):
        plan(corpus, "g0001", [(candidate("初めの写真"), "g0001-000000", "g0001-000000")])
        plan(corpus, "g0002", [(candidate("後の写真"), "g0002-000000", "g0001-000000")])
        fetch(corpus, "g0001-000000", [image("a")])
        first, second = run_all(FilterImage(recipe(corpus)), corpus)
        assert (first.part, second.part) == ("g0001-000000", "g0002-000000")
        assert second.inputs == ["g0001-000000"]
        assert corpus.read("image", "g0002-000000")["sha256"].to_pylist() == ["a" * 64]

    def test_a_batch_that_is_not_fetched_yet_is_no_part_yet(self, corpus: Corpus):
        plan(corpus, "g0001", [(candidate("桜並木"), "g0001-000000", "g0001-000000")])
        assert FilterImage(recipe(corpus)).inputs(corpus) == []
        fetch(corpus, "g0001-000000", [image("a")])
        assert [part.name for part in FilterImage(recipe(corpus)).inputs(corpus)] == ["g0001-000000"]

    def test_a_part_is_redone_when_and_only_when_what_shapes_it_changed(self, corpus: Corpus):
        plan(corpus, "g0001", [(candidate("桜並木"), "g0001-000000", "g0001-000000")])
        fetch(corpus, "g0001-000000", [image("a")])
        assert len(run_all(FilterImage(recipe(corpus)), corpus)) == 1
        assert run_all(FilterImage(recipe(corpus)), corpus) == []
        assert run_all(FilterImage(recipe(corpus, text={"min_characters": 3})), corpus) == []
        assert len(run_all(FilterImage(recipe(corpus, image={"min_side": 200})), corpus)) == 1
        fetch(corpus, "g0001-000000", [image("a", deviation=41.0)], fingerprint="1")
        assert len(run_all(FilterImage(recipe(corpus, image={"min_side": 200})), corpus)) == 1
        plan(corpus, "g0001", [(candidate("桜並木と人"), "g0001-000000", "g0001-000000")], digest="d1")
        assert len(run_all(FilterImage(recipe(corpus, image={"min_side": 200})), corpus)) == 1

    def test_the_same_input_gives_the_same_bytes(self, corpus: Corpus, tmp_path: Path):
        files = []
        for place in (corpus, Corpus(str(tmp_path / "other"))):
            rows = [(candidate(f"{n}の写真", n), "g0001-000000", "g0001-000000") for n in "abcdef"]
            plan(place, "g0001", rows)
            fetch(place, "g0001-000000", [image(n, colours=8 * ord(n) - 770) for n in "abcdef"])
            files.append([tally.files for tally in run_all(FilterImage(recipe(place)), place)])
        assert files[0] == files[1]

    @pytest.mark.slow
    def test_it_runs_in_another_process(self, corpus: Corpus):
        plan(corpus, "g0001", [(candidate("桜並木"), "g0001-000000", "g0001-000000")])
        fetch(corpus, "g0001-000000", [image("a")])
        stage = FilterImage(recipe(corpus))
        (part,) = stage.inputs(corpus)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            assert pool.submit(pickle.loads(pickle.dumps(stage)).run, corpus, part).result().rows.kept == 1
