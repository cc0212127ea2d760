"""Common Crawl on an object store: the bucket, and the corpus, on S3 as moto plays it on loopback."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image

from waon_build import pipeline
from waon_build.audit.funnel import faults, funnel
from waon_build.recipe import Recipe
from waon_build.records import InputError

TALK = "夕暮れの海辺を歩きながら、昔の港町の写真を撮りました。灯台の下で猫が眠っています。"
CRAWL = "CC-MAIN-2025-13"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def options(endpoint: str) -> dict[str, Any]:
    return {"endpoint_url": endpoint, "key": "a", "secret": "b"}


def photograph(seed: int) -> bytes:
    """A picture that no filter drops."""
    data = io.BytesIO()
    small = Image.frombytes("RGB", (8, 8), random.Random(seed).randbytes(192))
    small.resize((300, 240), Image.Resampling.BICUBIC).save(data, "JPEG")
    return data.getvalue()


def upload(options: dict[str, Any], root: Any, bucket: str) -> Any:
    import s3fs

    fs = s3fs.S3FileSystem(**options, skip_instance_cache=True)
    fs.mkdir(bucket)
    fs.put(f"{root}/", f"{bucket}/", recursive=True)
    return fs


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{}, {"select": "wat", "read": "wat"}], ids=["index", "wat"])
def test_a_bucket_becomes_pairs_in_a_bucket(fields: dict[str, Any], options, mirror, served, page, tmp_path) -> None:
    """From `s3://` to clusters on `s3://`; and a second run, with a new snapshot, makes only what is new."""

    def published(numbers: range) -> list[Any]:
        found = []
        for n in numbers:
            mirror.write(f"pictures/{n}.jpg", photograph(n))
            html = (
                f"<html lang=ja><title>港町の写真 {n}</title><a href=/x>{TALK}</a>"
                f'<img src="{served.url}pictures/{n}.jpg" alt="夕暮れの鳥居と港町の猫 {n}号"></html>'
            )
            found.append(page(f"{served.url}page/{n}", html))
            found.append(page(f"{served.url}english/{n}", "<html lang=en><p>Harbour lights</p></html>", "eng"))
        return found

    bucket = f"commoncrawl-{len(fields)}"
    mirror.add(CRAWL, published(range(3)))
    fs = upload(options, mirror.root, bucket)
    fs.mkdir(f"corpora-{len(fields)}")
    recipe = Recipe(
        name="x",
        corpus=f"s3://corpora-{len(fields)}/x",
        sources=[{"kind": "common_crawl", "snapshots": ["CC-MAIN-2025-*"], "location": f"s3://{bucket}/", **fields}],  # type: ignore[list-item]
        fetch={"contact": "me@example.org", "allow_hosts": ["127.0.0.1"], "per_host_rate": 100},  # type: ignore[arg-type]
        annotation={"database": f"sqlite:///{tmp_path}/a.db"},  # type: ignore[arg-type]
        runtime={"storage_options": options},  # type: ignore[arg-type]
    )
    corpus = pipeline.open_corpus(recipe)

    def run() -> dict[str, int]:
        made = {}
        for stage in (one for one in pipeline.stages(recipe) if one.name in pipeline.STAGES):
            parts, _ = pipeline.begin(stage, corpus)
            made[stage.name] = len(parts)
            for part in parts:
                stage.run(corpus, part)
        return made

    first = run()
    assert first["extract"] == 1
    steps = funnel(corpus)
    assert faults(steps) == []
    assert {step.stage: step.counts.kept for step in steps}["dedup"] == 3
    assert not [path for _, path, *_ in served.asked if path.startswith("/page")], "no page is asked of its site"
    assert sum(run().values()) == 0
    mirror.add("CC-MAIN-2025-18", published(range(3, 5)))
    fs.put(f"{mirror.root}/", f"{bucket}/", recursive=True)
    second = run()
    assert {name: second[name] for name in ("extract", "text", "plan", "fetch")} == {
        "extract": 1,
        "text": 1,
        "plan": 1,
        "fetch": 1,
    }
    assert {step.stage: step.counts.kept for step in funnel(corpus)}["dedup"] == 5


@pytest.mark.slow
def test_a_bucket_has_keys_of_its_own(options, mirror, page, tmp_path) -> None:
    """Keys of the corpus are not those of the source; and what is not there is one line."""
    mirror.add(CRAWL, [page("https://a.example/", f"<html lang=ja><p>{TALK}</p><img src=a.jpg alt=灯台の写真></html>")])
    upload(options, mirror.root, "its-own")
    source = {"kind": "common_crawl", "snapshots": [CRAWL], "location": "s3://its-own", "storage_options": options}
    recipe = Recipe(name="x", corpus=str(tmp_path / "corpus"), sources=[source])  # type: ignore[list-item]
    corpus = pipeline.open_corpus(recipe)
    for stage in pipeline.stages(recipe)[:2]:
        for part in pipeline.begin(stage, corpus)[0]:
            stage.run(corpus, part)
    (part_name,) = corpus.parts("extract")
    assert corpus.read("extract", part_name).num_rows == 1
    elsewhere = {**source, "location": "s3://no-such-bucket/"}
    recipe = Recipe(name="x", corpus=str(tmp_path / "other"), sources=[elsewhere])  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"s3://no-such-bucket/: has no index files"):
        pipeline.begin(pipeline.stages(recipe)[0], pipeline.open_corpus(recipe))
