"""A corpus that grows: a later run takes what is new, asks for nothing twice, and keeps people's work as it is."""

from __future__ import annotations

import json
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from waon_build import pipeline, recipe
from waon_build.annotation import questions
from waon_build.recipe import Recipe
from waon_build.records import InputError
from waon_build.rights.tombstones import Tombstones


@dataclass
class Pictures:
    """A host of pictures: `/SEED-SIDE.png` is picture SEED, SIDE pixels wide. pages: by path. failing: paths that
    give 503."""

    port: int = 0
    pages: dict[str, str] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)

    def url(self, seed: int, side: int = 200) -> str:
        return f"http://127.0.0.1:{self.port}/{seed}-{side}.png"


@contextmanager
def serving() -> Iterator[Pictures]:
    pictures = Pictures()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = pictures.pages.get(self.path, "").encode()
            status = 200 if body else 404
            if self.path.endswith(".png"):
                pictures.asked[self.path] += 1
                status = 503 if self.path in pictures.failing else 200
                seed, side = map(int, self.path[1:-4].split("-"))
                body = png(seed, side)
            self.send_response(status)
            self.send_header("Content-Type", "image/png" if self.path.endswith(".png") else "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    pictures.port = server.server_port
    yield pictures
    server.shutdown()
    server.server_close()


def png(seed: int, side: int) -> bytes:
    out = BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def host() -> Iterator[Pictures]:
    with serving() as pictures:
        yield pictures


@pytest.fixture
def pictures(host: Pictures) -> Pictures:
    host.failing.clear()
    host.asked.clear()
    host.pages.clear()
    return host


class Growing:
    """A recipe over files that a test adds to."""

    def __init__(self, folder: Path, pictures: Pictures, *sources: dict[str, Any]) -> None:
        self.folder, self.pictures = folder, pictures
        self.sources = list(sources) or [self.table("*.csv")]

    def table(self, name: str) -> dict[str, Any]:
        return {"kind": "table", "paths": [str(self.folder / name)]}

    def write(self, name: str, *rows: tuple[str, str]) -> None:
        """Append (URL, caption) rows to a CSV file."""
        path = self.folder / name
        before = path.read_text(encoding="utf-8") if path.exists() else "url,caption\n"
        path.write_text(before + "".join(f"{url},{caption}\n" for url, caption in rows), encoding="utf-8")

    def warc(self, name: str, url: str, caption: str) -> None:
        """Write a WARC file of one page that shows one picture."""
        page = f'<html lang="ja"><p><img src="{url}" alt="{caption}">'.encode()
        head = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
        with (self.folder / name).open("wb") as file:
            writer = WARCWriter(file, gzip=True)
            address = f"http://page.example/{name}"
            writer.write_record(
                writer.create_warc_record(address, "response", payload=BytesIO(page), http_headers=head)
            )

    def recipe(self, **sections: dict[str, Any]) -> Recipe:
        given: dict[str, Any] = {
            "name": "t",
            "corpus": str(self.folder / "corpus"),
            "sources": self.sources,
            "fetch": {
                "contact": "us@example.org",
                "allow_hosts": ["127.0.0.1"],
                "per_host_rate": 10_000,
                "per_host_concurrency": 8,
                "retries": 0,
            },
            "export": {"splits": {"train": 1}},
        }
        for name, section in sections.items():
            given[name] = {**given.get(name, {}), **section}
        path = self.folder / "recipe.yaml"
        path.write_text(yaml.safe_dump(given, allow_unicode=True), encoding="utf-8")
        return recipe.load(path)

    def run(self, until: str = "route", **sections: dict[str, Any]) -> dict[str, int]:
        """Run the recipe, up to a stage; how many parts each stage made, of those that made any."""
        loaded = self.recipe(**sections)
        corpus, made = pipeline.open_corpus(loaded), Counter[str]()
        names = pipeline.STAGES[: pipeline.STAGES.index(until) + 1]
        for stage in pipeline.stages(loaded):
            if stage.name in names:
                for part in pipeline.begin(stage, corpus)[0]:
                    stage.run(corpus, part)
                    made[stage.name] += 1
        return dict(made)

    def pairs(self) -> list[dict[str, Any]]:
        """The rows of the dedup table."""
        rows: list[dict[str, Any]] = pipeline.open_corpus(self.recipe()).read("dedup", "clusters").to_pylist()
        return rows

    def table_of_pairs(self) -> dict[str, dict[str, Any]]:
        """What dedup says of each pair, by URL and caption."""
        corpus = pipeline.open_corpus(self.recipe())
        said = {row["pair_id"]: row for row in self.pairs()}
        rows = [row for part in corpus.parts("image") for row in corpus.read("image", part).to_pylist()]
        return {f"{row['url'].rsplit('/', 1)[-1]} {row['caption']}": said[row["pair_id"]] for row in rows}

    def judge(self, *pair_ids: str) -> None:
        """Two people accept some pairs."""
        loaded = self.recipe()
        version = questions.load(loaded.annotation.guideline).version
        answers = {"guideline_version": version, "match": 3, "culture": "not"}
        lines = [
            json.dumps({"pair_id": pair_id, "annotator": annotator, **answers})
            for pair_id in pair_ids
            for annotator in ("aoi", "haru")
        ]
        path = self.folder / "judgements.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines))
        if lines:
            pipeline.import_answers(loaded, str(path))

    def released(self) -> set[str]:
        """Pair ids of a new release."""
        return pair_ids_of(pipeline.export(self.recipe()).url)


def pair_ids_of(release: str) -> set[str]:
    return {name for file in Path(release).glob("*.parquet") for name in pq.read_table(file)["pair_id"].to_pylist()}


@pytest.fixture
def growing(tmp_path: Path, pictures: Pictures) -> Growing:
    return Growing(tmp_path, pictures)


ONE_MORE = {"extract": 1, "text": 1, "plan": 1, "fetch": 1, "image": 1, "dedup": 1, "route": 1}


def test_a_new_table_is_the_only_one_read_and_its_picture_the_only_one_asked_for(growing: Growing) -> None:
    growing.write("a.csv", (growing.pictures.url(1), "縁側で眠る猫"))
    assert growing.run() == ONE_MORE
    growing.write("b.csv", (growing.pictures.url(2), "祭りの夜の提灯"), (growing.pictures.url(1), "縁側で眠る猫"))
    assert growing.run() == ONE_MORE
    assert growing.run() == {}
    assert growing.pictures.asked == {"/1-200.png": 1, "/2-200.png": 1}
    corpus = pipeline.open_corpus(growing.recipe())
    assert corpus.tallies("plan")[1].rows.dropped == {"duplicate_candidate": 1}


def test_a_run_that_ended_after_the_fetch_leaves_every_picture_where_release_and_queue_find_it(
    growing: Growing,
) -> None:
    """The picture that is there at last sorts before the one that people judged."""
    first, second = growing.pictures.url(1), growing.pictures.url(2)
    growing.pictures.failing.add("/1-200.png")
    growing.write("a.csv", (first, "縁側で眠る猫"), (second, "祭りの夜の提灯"))
    growing.run()
    [waiting] = pipeline.queued(growing.recipe())
    growing.judge(waiting.pair_id)
    corpus = pipeline.open_corpus(growing.recipe())
    picture = corpus.image_bytes(waiting.stored_in, waiting.offset, waiting.size)

    growing.pictures.failing.clear()
    growing.run(until="fetch", fetch={"retry_after_hours": 0})
    assert growing.pictures.asked["/1-200.png"] == 2
    assert corpus.image_bytes(waiting.stored_in, waiting.offset, waiting.size) == picture
    release = pipeline.export(growing.recipe()).url
    with tarfile.open(f"{release}/t-train-000000.tar") as tar:
        released = tar.extractfile(tar.getmembers()[0])
        assert released is not None
        assert released.read() == picture


@pytest.mark.parametrize("kind", ["glob", "list"])
def test_a_new_archive_in_a_folder_or_in_a_list_is_the_only_one_read(
    tmp_path: Path, pictures: Pictures, kind: str
) -> None:
    listed = tmp_path / "warc.paths"
    source = {"kind": "warc", "paths": [str(tmp_path / "*.warc.gz" if kind == "glob" else listed)]}
    growing = Growing(tmp_path, pictures, source)
    for number, made in ((2, ONE_MORE), (1, ONE_MORE)):  # the younger sorts before the older
        growing.warc(f"{number}.warc.gz", pictures.url(number), f"第{number}回の祭りの写真")
        with listed.open("a") as file:
            file.write(f"{tmp_path}/{number}.warc.gz\n")
        assert growing.run() == made
    assert growing.run() == {}
    assert set(pictures.asked.values()) == {1}


def test_a_page_that_changed_gives_what_is_new_on_it_and_leaves_earlier_parts_as_they_are(
    tmp_path: Path, pictures: Pictures
) -> None:
    first, second = (f'<img src="{pictures.url(seed)}" alt="第{seed}回の祭りの写真">' for seed in (1, 2))
    pictures.pages["/"] = f'<html lang="ja"><p>{first}'
    seeds = [f"http://127.0.0.1:{pictures.port}/"]
    growing = Growing(tmp_path, pictures, {"kind": "site", "seeds": seeds, "recrawl_after_days": 0})
    assert growing.run() == {"crawl": 1, **ONE_MORE}
    corpus = pipeline.open_corpus(growing.recipe())
    before = {stage: corpus.tallies(stage) for stage in ("crawl", "extract", "text", "plan", "fetch", "image")}
    assert growing.run() == {"crawl": 1}, "the visit that finds nothing new"
    pictures.pages["/"] += f"<p>{second}"
    assert growing.run() == {"crawl": 1, **ONE_MORE}
    assert pictures.asked == {"/1-200.png": 1, "/2-200.png": 1}
    assert corpus.tallies("plan")[1].rows.dropped == {"duplicate_candidate": 1}
    for stage, tallies in before.items():
        assert corpus.tallies(stage)[0] == tallies[0]


def test_rows_appended_to_a_table_are_asked_for_and_no_other(growing: Growing) -> None:
    growing.write("a.csv", *((growing.pictures.url(seed), f"第{seed}回の祭りの写真") for seed in range(3)))
    growing.run()
    growing.write("a.csv", (growing.pictures.url(3), "第三回の祭りの写真"))
    assert growing.run() == ONE_MORE
    assert set(growing.pictures.asked.values()) == {1}
    assert len(growing.pictures.asked) == 4


def test_a_caption_that_appended_rows_make_too_frequent_keeps_the_pairs_that_it_had(growing: Growing) -> None:
    """They may have been judged. A corpus that begins with all the rows drops them all."""
    caption = "縁側で眠る猫"
    growing.write("a.csv", *((growing.pictures.url(seed), caption) for seed in range(2)))
    limit = {"filters": {"text": {"max_repeats": 2, "max_repeats_per_host": 2}}}
    growing.run(**limit)
    growing.write("a.csv", (growing.pictures.url(2), caption))
    growing.run(**limit)
    assert sorted(growing.table_of_pairs()) == [f"{seed}-200.png {caption}" for seed in range(2)]
    growing.run(filters={"text": {"max_repeats": 1, "max_repeats_per_host": 1}})
    assert growing.table_of_pairs() == {}, "other rules are rules for all"


def test_a_pair_that_comes_to_an_earlier_table_as_well_stays_though_its_caption_is_frequent_there(
    growing: Growing,
) -> None:
    """A later generation let it in; it may have been judged."""
    caption = "縁側で眠る猫"
    limit = {"filters": {"text": {"max_repeats": 2, "max_repeats_per_host": 2}}}
    for seed, name in ((1, "a.csv"), (2, "b.csv")):
        growing.write(name, (growing.pictures.url(seed), caption))
        growing.run(**limit)
    before = growing.table_of_pairs()
    assert sorted(before) == [f"{seed}-200.png {caption}" for seed in (1, 2)]
    growing.write("a.csv", *((growing.pictures.url(seed), caption) for seed in (2, 3)))
    growing.run(**limit)
    assert growing.table_of_pairs().keys() == before.keys()
    assert growing.run(**limit) == {}


def test_a_picture_that_a_later_generation_has_is_not_asked_for_by_an_earlier_one(growing: Growing) -> None:
    growing.write("a.csv", (growing.pictures.url(1), "縁側で眠る猫"))
    growing.run()
    growing.write("b.csv", (growing.pictures.url(2), "祭りの夜の提灯"))
    growing.run()
    growing.write("a.csv", (growing.pictures.url(2), "祭りの夜の提灯"))
    growing.run()
    assert growing.run() == {}
    assert growing.pictures.asked == {"/1-200.png": 1, "/2-200.png": 1}
    assert len(growing.table_of_pairs()) == 2


def test_a_new_caption_of_a_known_picture_is_a_pair_and_no_request(growing: Growing) -> None:
    growing.write("a.csv", (growing.pictures.url(1), "縁側で眠る猫"))
    growing.run()
    growing.write("b.csv", (growing.pictures.url(1), "昼下がりの縁側で気持ちよさそうに眠る猫"))
    assert growing.run() == {stage: 1 for stage in ONE_MORE if stage != "fetch"}
    assert growing.pictures.asked == {"/1-200.png": 1}
    assert [row["canonical"] for row in growing.table_of_pairs().values()] == [False, True]


def test_what_failed_for_a_passing_cause_comes_with_a_later_run_when_it_is_due_and_not_for_ever(
    growing: Growing,
) -> None:
    growing.write("a.csv", (growing.pictures.url(1), "縁側で眠る猫"), (growing.pictures.url(2), "祭りの夜の提灯"))
    growing.pictures.failing = {"/1-200.png", "/2-200.png"}
    growing.run()
    assert growing.run() == {}, "it is not due yet"
    growing.pictures.failing = {"/2-200.png"}
    again = {"fetch": {"retry_after_hours": 0}}
    assert set(growing.run(**again)) == {"fetch", "image", "dedup", "route"}
    assert len(growing.table_of_pairs()) == 1
    growing.run(**again)
    assert growing.run(**again) == {}, "three runs have asked"
    assert growing.pictures.asked == {"/1-200.png": 2, "/2-200.png": 3}


@pytest.mark.parametrize("known_by", ["a judgement", "a release"])
def test_a_larger_copy_does_not_take_the_place_of_a_pair_that_was_judged_or_released(
    growing: Growing, known_by: str
) -> None:
    growing.write("a.csv", (growing.pictures.url(1), "縁側で眠る猫"))
    growing.run()
    growing.judge(*(row["pair_id"] for row in growing.pairs()))
    if known_by == "a release":
        growing.released()
        (growing.folder / "corpus" / "annotation.db").unlink()
    growing.write("b.csv", (growing.pictures.url(1, side=800), "縁側で眠る猫の親子の写真です"))
    growing.run()
    rows = growing.table_of_pairs()
    assert [row["reason"] for row in rows.values()] == ["", "near_duplicate_image"]


def test_a_release_is_not_made_by_an_older_table_of_duplicates(growing: Growing) -> None:
    """Else the evaluation set that was named last would be in it."""
    growing.write("a.csv", (growing.pictures.url(1), "縁側で眠る猫"), (growing.pictures.url(2), "祭りの夜の提灯"))
    growing.run()
    growing.judge(*(row["pair_id"] for row in growing.pairs()))
    assert len(growing.released()) == 2
    rows = pipeline.open_corpus(growing.recipe()).tallies("image")
    phash = pipeline.open_corpus(growing.recipe()).read("image", rows[0].part)["phash"][0].as_py()
    (growing.folder / "benchmark.txt").write_text(phash)
    kept_out = {"dedup": {"evaluation_sets": [str(growing.folder / "benchmark.txt")]}}
    with pytest.raises(InputError, match="run the recipe"):
        pipeline.export(growing.recipe(**kept_out))
    growing.run(**kept_out)
    assert len(pair_ids_of(pipeline.export(growing.recipe(**kept_out)).url)) == 1


ROW = st.tuples(st.integers(0, 4), st.sampled_from([200, 260]), st.integers(0, 2))
"""A picture, its side, and its caption."""


@pytest.mark.slow
@settings(
    max_examples=3,
    phases=(Phase.explicit, Phase.generate),  # each example takes seconds: a failure is not made smaller
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a.csv", "b.csv", "c.csv"]),
            st.lists(
                st.tuples(st.integers(0, 4), st.sampled_from([200, 260]), st.integers(0, 2)), min_size=1, max_size=4
            ),
            st.integers(0, 4),
            st.booleans(),
        ),
        min_size=2,
        max_size=4,
    )
)
def test_however_a_corpus_grows_what_was_judged_stays_kept_and_what_was_released_stays_released(
    tmp_path_factory: pytest.TempPathFactory,
    host: Pictures,
    steps: list[tuple[str, list[tuple[int, int, int]], int, bool]],
) -> None:
    """Each step appends rows to a file (pictures in two sizes, captions that repeat), runs, judges some of the queue,
    and may take one judged pair down."""
    host.failing.clear()
    host.asked.clear()
    captions = ["縁側で眠る猫", "祭りの夜の提灯", "雪の日の五重塔"]
    limit = {"filters": {"text": {"max_repeats": 4, "max_repeats_per_host": 4}}}
    growing = Growing(tmp_path_factory.mktemp("grows"), host)
    judged, released, gone = set[str](), set[str](), set[str]()
    for file, rows, answers, takes_down in steps:
        growing.write(file, *((host.url(seed, side), captions[caption]) for seed, side, caption in rows))
        growing.run(**limit)
        kept = {row["pair_id"] for row in growing.pairs() if row["canonical"]}
        assert judged - gone <= kept
        queue = sorted(task.pair_id for task in pipeline.queued(growing.recipe()) if task.pair_id in kept)
        growing.judge(*queue[:answers])
        judged |= set(queue[:answers])
        if takes_down and judged - gone:
            taken = min(judged - gone)
            Tombstones.add(pipeline.open_corpus(growing.recipe()), "pair_id", taken, "asked for")
            gone.add(taken)
        if judged - gone:
            now = growing.released()
            assert released - gone <= now <= judged - gone
            released |= now
    assert set(host.asked.values()) == {1}
