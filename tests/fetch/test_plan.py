"""Repeats are dropped by rule, the rest is put into batches by host, and a plan that is made stays."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waon_build.batches import candidates_of, images_of, list_batches
from waon_build.corpus import Corpus, Part
from waon_build.fetch.plan import Plan, packed
from waon_build.part_writer import ROW_GROUP
from waon_build.recipe import Recipe
from waon_build.records import CANDIDATE, IMAGE, Candidate, Evidence, Image, InputError, Tally, normalised
from waon_build.rights.tombstones import Tombstones


def recipe(urls_per_part: int = 20, max_repeats: int = 10, per_host: int = 5) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "t",
            "corpus": "unused",
            "sources": [{"kind": "warc", "paths": ["unused"]}],
            "fetch": {"urls_per_part": urls_per_part},
            "filters": {"text": {"max_repeats": max_repeats, "max_repeats_per_host": per_host}},
        }
    )


def put_text(corpus: Corpus, name: str, candidates: Sequence[Candidate], fingerprint: str = "f") -> None:
    with corpus.write("text", Part(name, "test", fingerprint), CANDIDATE) as writer:
        for candidate in candidates:
            writer.keep(candidate)
        writer.commit()


def plan(corpus: Corpus, stage: Plan | None = None) -> list[Tally]:
    """Run what is not current. Returns the tallies of what was run."""
    stage = stage or Plan(recipe())
    return [stage.run(corpus, part) for part in stage.inputs(corpus) if not corpus.is_current("plan", part)]


def planned(corpus: Corpus) -> list[dict[str, str]]:
    return [row for batch in list_batches(corpus) for row in candidates_of(corpus, batch.name).to_pylist()]


def put_images(corpus: Corpus, batch: str, urls: Sequence[str]) -> None:
    with corpus.write("fetch", Part(batch, "test", "f"), IMAGE) as writer:
        for url in sorted(urls):
            writer.keep(Image(url, "ok", stored_in=batch))
        writer.commit()


def some(seed: int = 0, count: int = 600, hosts: int = 30) -> list[Candidate]:
    rng = random.Random(seed)
    return [
        Candidate(
            f"https://h{int(rng.paretovariate(0.7)) % hosts}.example/{rng.randrange(60)}.jpg",
            f"caption {rng.randrange(400)}",
            "alt",
            page_url=f"https://p{rng.randrange(9)}.example/",
            rights=[Evidence("robots_meta", "u", "v", False)] * rng.randrange(3),
        )
        for _ in range(count)
    ]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(str(tmp_path / "corpus"))


def test_the_first_of_a_repeated_pair_stays_by_part_then_row(corpus: Corpus) -> None:
    first = Candidate("https://a.example/1.jpg", "東京タワー", "alt", page_url="https://p.example/1")
    again = Candidate("https://a.example/1.jpg", "東京タワー", "alt", page_url="https://p.example/2")
    wide = Candidate("https://a.example/1.jpg", " 東京ﾀﾜｰ ", "alt", page_url="https://p.example/3")
    other = Candidate("https://a.example/1.jpg", "夜の東京タワー", "alt")
    put_text(corpus, "a", [first, again])
    put_text(corpus, "b", [wide, other])
    (tally,) = plan(corpus)
    assert tally.rows.to_json() == {"read": 4, "kept": 2, "dropped": {"duplicate_candidate": 2}}
    assert {row["candidate_id"] for row in planned(corpus)} == {first.candidate_id, other.candidate_id}


def test_a_caption_of_too_many_images_on_one_host_is_dropped_there_only(corpus: Corpus) -> None:
    boilerplate = [Candidate(f"https://shop.example/{n}.jpg", "商品画像", "alt") for n in range(6)]
    elsewhere = [Candidate(f"https://other.example/{n}.jpg", "商品画像", "alt") for n in range(2)]
    put_text(corpus, "a", boilerplate + elsewhere)
    (tally,) = plan(corpus)
    assert tally.rows.dropped == {"caption_repeated_on_host": 6}
    assert {urlsplit(row["url"]).hostname for row in planned(corpus)} == {"other.example"}


def test_a_caption_of_exactly_the_allowed_number_of_images_stays(corpus: Corpus) -> None:
    put_text(corpus, "a", [Candidate(f"https://shop.example/{n}.jpg", "商品画像", "alt") for n in range(5)])
    (tally,) = plan(corpus)
    assert (tally.rows.kept, tally.rows.dropped) == (5, {})


def test_distinct_images_are_counted_not_rows(corpus: Corpus) -> None:
    """A hundred pages that show one picture with one caption repeat nothing but themselves."""
    pages = [Candidate("https://a.example/1.jpg", "橋", "alt", page_url=f"https://p.example/{n}") for n in range(100)]
    put_text(corpus, "a", pages)
    (tally,) = plan(corpus)
    assert (tally.rows.kept, tally.rows.dropped) == (1, {"duplicate_candidate": 99})


def test_a_caption_of_too_many_images_in_all_is_dropped_everywhere(corpus: Corpus) -> None:
    put_text(corpus, "a", [Candidate(f"https://h{n}.example/1.jpg", "ロゴ", "alt") for n in range(11)])
    (tally,) = plan(corpus)
    assert tally.rows.dropped == {"caption_repeated": 11}


def test_earlier_generations_count_towards_repeats_and_duplicates(corpus: Corpus) -> None:
    put_text(corpus, "a", [Candidate(f"https://h{n}.example/1.jpg", "ロゴ", "alt") for n in range(8)])
    plan(corpus)
    put_text(corpus, "b", [Candidate(f"https://h{n}.example/1.jpg", "ロゴ", "alt") for n in range(7, 11)])
    (tally,) = plan(corpus)
    assert tally.part == "g0002"
    assert tally.rows.dropped == {"duplicate_candidate": 1, "caption_repeated": 3}


def test_what_is_dropped_as_repeated_in_one_generation_is_not_let_in_by_the_next(corpus: Corpus) -> None:
    put_text(corpus, "a", [Candidate(f"https://h{n}.example/1.jpg", "ロゴ", "alt") for n in range(11)])
    plan(corpus)
    put_text(corpus, "b", [Candidate("https://new.example/1.jpg", "ロゴ", "alt")])
    (tally,) = plan(corpus)
    assert tally.rows.dropped == {"caption_repeated": 1}


def test_a_tombstone_on_url_host_or_page_keeps_candidates_out_and_frees_their_place(corpus: Corpus) -> None:
    corpus.create()
    taken = Candidate("https://a.example/1.jpg", "橋", "alt", page_url="https://bad.example/page")
    same_elsewhere = Candidate("https://a.example/1.jpg", "橋", "alt", page_url="https://good.example/page")
    by_url = Candidate("https://a.example/2.jpg", "川", "alt", page_url="https://good.example/page")
    by_host = Candidate("https://img.gone.example/3.jpg", "山", "alt")
    put_text(corpus, "a", [taken, same_elsewhere, by_url, by_host])
    Tombstones.add(corpus, "url", "https://bad.example/page", "asked")
    Tombstones.add(corpus, "url", "https://a.example/2.jpg", "asked")
    Tombstones.add(corpus, "host", "gone.example", "asked")
    (tally,) = plan(corpus)
    assert tally.rows.dropped == {"taken_down": 3}
    assert [row["candidate_id"] for row in planned(corpus)] == [same_elsewhere.candidate_id]


def expected_fates(candidates: Sequence[Candidate], per_host: int, in_all: int) -> Counter[str]:
    """The rules once more, in plain Python."""
    seen: dict[tuple[str, str], Candidate] = {}
    fates: Counter[str] = Counter()
    for candidate in candidates:
        key = candidate.url, normalised(candidate.caption)
        if key in seen:
            fates["duplicate_candidate"] += 1
        seen.setdefault(key, candidate)
    on_host = Counter((caption, urlsplit(url).hostname) for url, caption in seen)
    everywhere = Counter(caption for _, caption in seen)
    for url, caption in seen:
        if on_host[caption, urlsplit(url).hostname] > per_host:
            fates["caption_repeated_on_host"] += 1
        elif everywhere[caption] > in_all:
            fates["caption_repeated"] += 1
        else:
            fates["kept"] += 1
    return fates


@pytest.mark.parametrize("seed", range(4))
def test_the_counts_are_those_of_the_rules_in_plain_python(seed: int, corpus: Corpus) -> None:
    rng = random.Random(seed)
    candidates = [
        Candidate(
            f"http{rng.choice(['', 's'])}://{rng.choice(['', 'u:p@'])}H{rng.randrange(6)}.example"
            f"{rng.choice(['', ':8080'])}/{rng.randrange(30)}",
            f"caption {int(5 * rng.paretovariate(0.5)) % 400}",
            "alt",
        )
        for _ in range(800)
    ]
    candidates += rng.sample(candidates, 60)
    put_text(corpus, "a", candidates[:300])
    put_text(corpus, "b", candidates[300:])
    (tally,) = plan(corpus, Plan(recipe(per_host=2, max_repeats=9)))
    fates = expected_fates(candidates, 2, 9)
    assert len(fates) == 4
    assert min(fates.values()) > 10, "every rule is put to the test"
    assert tally.rows.kept == fates.pop("kept")
    assert tally.rows.dropped == fates


def test_every_planned_candidate_is_whole_and_in_one_batch(corpus: Corpus) -> None:
    candidates = some()
    put_text(corpus, "a", candidates)
    (tally,) = plan(corpus)
    rows = planned(corpus)
    assert len(rows) == tally.rows.kept == sum(batch.candidates for batch in list_batches(corpus))
    by_id = {candidate.candidate_id: candidate for candidate in candidates}
    for row in rows:
        candidate = by_id[row["candidate_id"]]
        assert row["rights"] == [evidence._asdict() for evidence in candidate.rights]
        assert (row["url"], row["caption"], row["source"]) == (candidate.url, candidate.caption, candidate.source)


def test_a_host_stays_in_one_batch_unless_it_is_larger_than_a_batch(corpus: Corpus) -> None:
    put_text(corpus, "a", some(count=2000))
    plan(corpus)
    batches_of: dict[str, set[str]] = defaultdict(set)
    urls_of: dict[str, set[str]] = defaultdict(set)
    for row in planned(corpus):
        host = urlsplit(row["url"]).hostname or ""
        batches_of[host].add(row["batch"])
        urls_of[host].add(row["url"])
    assert all(len(batches_of[host]) == 1 for host in urls_of if len(urls_of[host]) <= 20)
    assert any(len(batches_of[host]) > 1 for host in urls_of)
    by_url = {row["url"]: row["batch"] for row in planned(corpus)}
    assert all(by_url[row["url"]] == row["batch"] for row in planned(corpus)), "a URL is in one batch"


def test_rows_lie_by_batch_url_and_id(corpus: Corpus) -> None:
    put_text(corpus, "a", some())
    plan(corpus)
    keys = [(row["batch"], row["url"], row["candidate_id"]) for row in planned(corpus)]
    assert keys == sorted(keys)


def test_the_same_input_gives_the_same_bytes_in_any_corpus(tmp_path: Path) -> None:
    tallies = []
    for url in (str(tmp_path / "one"), "memory://plan-same-bytes"):
        corpus = Corpus(url)
        put_text(corpus, "a", some(1, 9000, 300))
        put_text(corpus, "b", some(2, 9000, 300))
        tallies += plan(corpus)
    assert tallies[0].files == tallies[1].files, "the names carry the digests"


def test_a_plan_is_current_until_its_settings_or_its_candidates_change(corpus: Corpus) -> None:
    put_text(corpus, "a", some())
    plan(corpus)
    assert plan(corpus) == []
    assert plan(corpus, Plan(recipe(max_repeats=7))) != []
    put_text(corpus, "a", some(3), fingerprint="g")
    assert len(plan(corpus, Plan(recipe(max_repeats=7)))) == 1


def test_new_text_parts_make_a_new_generation_and_touch_no_older_one(corpus: Corpus) -> None:
    put_text(corpus, "a", some(1))
    plan(corpus)
    before = corpus.tally("plan", "g0001")
    put_text(corpus, "b", some(2))
    (tally,) = plan(corpus)
    assert (tally.part, tally.inputs) == ("g0002", ["b"])
    assert corpus.tally("plan", "g0001") == before


def test_when_an_older_generation_changes_the_younger_ones_are_due_in_the_same_run(corpus: Corpus) -> None:
    put_text(corpus, "a", some(1))
    plan(corpus)
    put_text(corpus, "b", some(2))
    plan(corpus)
    put_text(corpus, "a", some(5), fingerprint="g")
    assert [tally.part for tally in plan(corpus)] == ["g0001", "g0002"]
    assert plan(corpus) == []


def test_a_text_part_that_is_gone_leaves_its_generation(corpus: Corpus) -> None:
    put_text(corpus, "a", some(1))
    put_text(corpus, "b", some(2))
    plan(corpus)
    corpus.remove_part("text", "b")
    (tally,) = plan(corpus)
    assert (tally.part, tally.inputs) == ("g0001", ["a"])
    corpus.remove_part("text", "a")
    (tally,) = plan(corpus)
    assert (tally.rows.read, list_batches(corpus)) == (0, [])


def test_without_candidates_there_is_an_empty_plan_and_no_batch(corpus: Corpus) -> None:
    put_text(corpus, "a", [])
    (tally,) = plan(corpus)
    assert tally.rows.read == 0
    assert list_batches(corpus) == []
    assert plan(corpus) == []


def test_a_url_planned_earlier_is_not_fetched_again_and_its_image_is_found(corpus: Corpus) -> None:
    put_text(corpus, "a", [Candidate(f"https://a.example/{n}.jpg", f"古い {n}", "alt") for n in range(3)])
    plan(corpus)
    (old,) = list_batches(corpus)
    put_text(corpus, "b", [Candidate(f"https://a.example/{n}.jpg", f"新しい {n}", "alt") for n in range(2, 5)])
    plan(corpus)
    new = list_batches(corpus)[-1]
    assert (new.candidates, new.urls, new.image_parts) == (3, 2, (old.name, new.name))
    rows = {row["url"]: row["image_part"] for row in candidates_of(corpus, new.name).to_pylist()}
    assert rows["https://a.example/2.jpg"] == old.name
    with pytest.raises(InputError, match="no such part"):
        images_of(corpus, new.name)
    put_images(corpus, old.name, [f"https://a.example/{n}.jpg" for n in range(3)])
    put_images(corpus, new.name, [f"https://a.example/{n}.jpg" for n in (3, 4)])
    images = images_of(corpus, new.name)
    assert images["url"].to_pylist() == [f"https://a.example/{n}.jpg" for n in (2, 3, 4)]
    assert images["stored_in"].to_pylist() == [old.name, new.name, new.name]


def test_what_is_fetched_keeps_its_batch_when_the_plan_is_made_again(corpus: Corpus) -> None:
    """Another threshold must not scatter URLs over other parts: they would be fetched again."""
    put_text(corpus, "a", some(1, 900))
    plan(corpus)
    before = {row["url"]: row["batch"] for row in planned(corpus)}
    for batch in list_batches(corpus)[::2]:
        put_images(corpus, batch.name, [url for url, name in before.items() if name == batch.name])
    fetched = {url for url, name in before.items() if name in corpus.parts("fetch")}
    put_text(corpus, "a", [*some(1, 900)[100:], *some(7, 300)], fingerprint="g")
    plan(corpus)
    after = {row["url"]: row["image_part"] for row in planned(corpus)}
    kept = fetched & after.keys()
    assert kept
    assert all(after[url] == before[url] for url in kept)
    others = {name for url, name in after.items() if url not in fetched}
    assert not others & set(corpus.parts("fetch"))


def test_a_batch_is_read_without_the_rest(corpus: Corpus) -> None:
    put_text(corpus, "a", some(4, ROW_GROUP * 3, 2000))
    plan(corpus, Plan(recipe(urls_per_part=200, max_repeats=10**6, per_host=10**6)))
    path = corpus.file("plan", "g0001")
    assert path
    assert pq.read_metadata(path).num_row_groups > 1
    whole = corpus.read("plan", "g0001").to_pylist()
    for batch in list_batches(corpus):
        rows = candidates_of(corpus, batch.name).to_pylist()
        assert rows == whole[batch.first_row : batch.first_row + batch.candidates]
        assert {row["batch"] for row in rows} == {batch.name}
        assert batch.urls == len({row["url"] for row in rows})


def test_a_batch_changes_its_digest_with_any_column_but_its_url_digest_only_with_urls(corpus: Corpus) -> None:
    candidates = some()
    put_text(corpus, "a", candidates)
    plan(corpus)
    before = {batch.name: batch for batch in list_batches(corpus)}
    candidates[0].page_title = "another title"
    put_text(corpus, "a", candidates, fingerprint="g")
    plan(corpus)
    after = {batch.name: batch for batch in list_batches(corpus)}
    assert sum(before[name].digest != after[name].digest for name in before) == 1
    assert all(before[name].url_digest == after[name].url_digest for name in before)


def test_drops_are_sampled_the_same_way_every_time(tmp_path: Path) -> None:
    samples = []
    for name in ("one", "two"):
        corpus = Corpus(str(tmp_path / name))
        put_text(corpus, "a", some(1, 3000))
        plan(corpus)
        samples.append(corpus.read("plan", "g0001", role="dropped").to_pylist())
    assert samples[0] == samples[1]
    assert max(Counter(row["reason"] for row in samples[0]).values()) == 5


@given(st.lists(st.integers(1, 60), max_size=60), st.integers(1, 25), st.integers(0, 9))
def test_packing_gives_every_host_its_batches_and_no_batch_too_many_urls(
    sizes: list[int], size: int, start: int
) -> None:
    rows = list(packed(enumerate(sizes), size, start))
    assert [key for key, _, _ in rows] == list(range(len(sizes)))
    load: Counter[int] = Counter()
    owners: dict[int, set[int]] = defaultdict(set)
    for (key, first, pieces), urls in zip(rows, sizes, strict=True):
        assert pieces == -(-urls // size)
        for piece in range(pieces):
            load[first + piece] += -(-urls // pieces)
            owners[first + piece].add(key)
    assert all(urls <= size for urls in load.values())
    assert sorted(load) == list(range(start, start + len(load))), "no number is left out"
    assert all(len(owners[first]) == 1 for _, first, pieces in rows if pieces > 1)
