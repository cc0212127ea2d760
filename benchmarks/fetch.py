"""Images per second: the fetch stage and img2dataset on one list of URLs, served on the loopback device.

    python benchmarks/fetch.py [--images FOLDER] [--urls 1000] [--img2dataset PYTHON]

Both write the same pictures: aspect kept, shortest side at most 512 (our default) and then 256 (theirs),
never enlarged, JPEG at 90, with the sha256 of what was served. Ours also checks robots.txt and
tdmrep.json, turns as EXIF says, counts colours, and takes both perceptual hashes of every stored image;
img2dataset has none, so a second line adds a pass that takes them from its shards with `imagehash`, in as many
processes. Both have the same number of decoding processes; img2dataset reads with 64 threads in each, we ask for
as many at once in one more process. Of neither is the start counted, in time or processor: our pool is started
beforehand; theirs is measured on a list of one URL a process, and subtracted. The server runs in a process
of its own on the same machine, so both pay for it alike, in time. Each round runs both, one after the other.
img2dataset (1.47) is optional: PYTHON is an interpreter that has it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import imagehash
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from aiohttp import web
from PIL import Image

from waon_build.corpus import Corpus, Part
from waon_build.fetch.stage import Fetch, Plan
from waon_build.recipe import Recipe
from waon_build.records import CANDIDATE, Candidate

SIZES = [(640, 480), (800, 600), (1024, 768), (1200, 800), (1600, 1200), (2000, 1333), (3000, 2000)]
"""Of the made pictures: what pages of today show, from a thumbnail to a camera's."""

SIDES = (512, 256)
"""Shortest sides of what is stored: the default of ours, and of img2dataset."""
CONNECTIONS = 64
"""Of one img2dataset process, and of all of ours."""

IMG2DATASET = """
import json, sys
from img2dataset import download
download(**json.loads(sys.argv[1]))
"""


class Run(NamedTuple):
    """What one run took. processor: seconds, of all its processes."""

    kept: int
    seconds: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of pictures to serve (by default they are made)")
    parser.add_argument("--urls", type=int, default=1000, help="URLs on the list; pictures are served again and again")
    parser.add_argument("--img2dataset", metavar="PYTHON", help="an interpreter with img2dataset installed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="decoding processes of either")
    parser.add_argument("--rounds", type=int, default=3, help="of which the middle is reported")
    options = parser.parse_args()
    bodies = folder_of_pictures(options.images) if options.images else made_pictures()
    queue: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(bodies, queue), daemon=True)
    server.start()
    port = queue.get(timeout=60)
    urls = [f"http://127.0.0.1:{port}/{n}.jpg" for n in range(options.urls)]
    megabytes = sum(len(bodies[n % len(bodies)]) for n in range(options.urls)) / 1e6
    print(f"{len(urls)} URLs, {len(bodies)} pictures, {megabytes:.0f} MB served, {options.workers} workers")
    if not options.img2dataset:
        print("img2dataset: not run (give --img2dataset PYTHON, an interpreter that has it)")
    for side in SIDES:
        rounds = [one_round(urls, side, options.workers, options.img2dataset) for _ in range(options.rounds)]
        for name in list(rounds[0])[1:]:
            pairs = [(one["waon_build"], one[name]) for one in rounds]
            wall = statistics.median(theirs.seconds / ours.seconds for ours, theirs in pairs)
            processor = statistics.median(theirs.processor / ours.processor for ours, theirs in pairs)
            print(f"shortest side {side}: {wall:.2f} times as fast as {name}, with 1/{processor:.2f} of its processor")
    server.terminate()


def one_round(urls: list[str], side: int, workers: int, python: str | None) -> dict[str, Run]:
    """Ours and theirs, one after the other, by name; ours is the first."""
    with tempfile.TemporaryDirectory() as folder:
        runs = {"waon_build": fetch_stage(urls, f"{folder}/corpus", side, workers)}
        if python:
            plain = runs["img2dataset"] = img2dataset(python, urls, folder, side, workers)
            more = hash_pass(Path(f"{folder}/img2dataset"), workers)
            both = Run(plain.kept, plain.seconds + more.seconds, plain.processor + more.processor)
            runs["img2dataset and imagehash"] = both
    for name, run in runs.items():
        print(
            f"{side:4} {name:25} {run.kept} of {len(urls)} images in {run.seconds:6.1f} s: "
            f"{run.kept / run.seconds:6.1f} per second, {1000 * run.processor / run.kept:5.1f} ms of processor each",
            flush=True,
        )
    return runs


def fetch_stage(urls: list[str], folder: str, side: int, workers: int) -> Run:
    """Our stage, its pool started beforehand as in a run of many parts."""
    recipe = Recipe.model_validate(
        {
            "name": "bench",
            "corpus": folder,
            "sources": [{"kind": "warc", "paths": ["unused"]}],
            "filters": {"text": {"max_repeats": 10**9, "max_repeats_per_host": 10**9}},
            "fetch": {
                "contact": "bench@example.org",
                "allow_hosts": ["127.0.0.1"],
                "per_host_rate": 1_000_000,
                "per_host_concurrency": CONNECTIONS,
                "shortest_side": side,
                "urls_per_part": len(urls),
            },
        }
    )
    corpus = Corpus(folder)
    with corpus.write("text", Part("a", "bench", "f"), CANDIDATE) as writer:
        for url in urls:
            writer.keep(Candidate(url, f"caption of {url}", "alt"))
        writer.commit()
    plan = Plan(recipe)
    for part in plan.inputs(corpus):
        plan.run(corpus, part)
    with pool_of(workers) as pool:
        before = processor_of(pool, workers)
        stage = Fetch(recipe, pool)
        began = time.perf_counter()
        tallies = [stage.run(corpus, part) for part in stage.inputs(corpus)]
        seconds = time.perf_counter() - began
        processor = processor_of(pool, workers) - before
    return Run(sum(tally.rows.kept for tally in tallies), seconds, processor)


def img2dataset(python: str, urls: list[str], folder: str, side: int, workers: int) -> Run:
    """img2dataset with the nearest settings, less what it takes to start. Its shards stay in FOLDER/img2dataset."""
    start = _img2dataset(python, urls[:workers], f"{folder}/start", side, workers)
    whole = _img2dataset(python, urls, f"{folder}/img2dataset", side, workers)
    return whole._replace(processor=whole.processor - start.processor)


def _img2dataset(python: str, urls: list[str], folder: str, side: int, workers: int) -> Run:
    names = [f"caption of {url}" for url in urls]
    pq.write_table(pa.table({"url": urls, "caption": names}), f"{folder}.parquet")
    settings = {
        "url_list": f"{folder}.parquet",
        "input_format": "parquet",
        "url_col": "url",
        "caption_col": "caption",
        "output_format": "webdataset",
        "output_folder": folder,
        "processes_count": workers,
        "thread_count": CONNECTIONS,
        "number_sample_per_shard": max(1, -(-len(urls) // workers)),
        "image_size": side,
        "resize_mode": "keep_ratio",
        "resize_only_if_bigger": True,
        "encode_quality": 90,
        "compute_hash": "sha256",
        "extract_exif": False,
        "enable_wandb": False,
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(
        [python, "-c", IMG2DATASET, json.dumps(settings)],
        capture_output=True,
        text=True,
        env=os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1"},
    )
    if run.returncode:
        sys.exit(f"img2dataset failed: {run.stderr[-2000:]}")
    stats = [json.loads(path.read_text()) for path in Path(folder).glob("*_stats.json")]
    # Its own clock, without the start of its processes.
    seconds = max(one["end_time"] for one in stats) - min(one["start_time"] for one in stats)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(sum(one["successes"] for one in stats), seconds, processor)


def hash_pass(shards: Path, workers: int) -> Run:
    """Both perceptual hashes of all images in `shards`, by `imagehash` alone, a shard a process."""
    with pool_of(workers) as pool:
        before = processor_of(pool, workers)
        began = time.perf_counter()
        kept = sum(pool.map(hash_shard, sorted(shards.glob("*.tar"))))
        seconds = time.perf_counter() - began
        return Run(kept, seconds, processor_of(pool, workers) - before)


def hash_shard(path: Path) -> int:
    kept = 0
    with tarfile.open(path) as shard:
        for member in shard:
            body = shard.extractfile(member)
            if body is not None and member.name.endswith(".jpg"):
                grey = Image.open(body).convert("L")
                kept += len(str(imagehash.phash(grey)) + str(imagehash.phash(grey, hash_size=16))) == 80
    return kept


def pool_of(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


def processor_of(pool: ProcessPoolExecutor, workers: int) -> float:
    """Seconds of processor that this process and the workers of `pool` have used; starts them."""
    return sum(dict(pool.map(warm, range(8 * workers))).values()) + time.process_time()


def warm(_: int) -> tuple[int, float]:
    """A worker, and the processor time it has used. Waits a moment, so that every worker gets its turn."""
    from waon_build.fetch.decode import decode
    from waon_build.recipe import FetchSettings

    out = BytesIO()
    Image.new("RGB", (64, 64)).save(out, "JPEG")
    decode(out.getvalue(), FetchSettings())
    time.sleep(0.1)
    return os.getpid(), time.process_time()


def folder_of_pictures(folder: Path) -> list[bytes]:
    suffixes = {".jpg", ".jpeg", ".png", ".webp", ".gif"}
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.suffix.lower() in suffixes]


def made_pictures() -> list[bytes]:
    """JPEGs of smooth shapes and a little noise, with about the bytes per pixel of photographs. A third is upright."""
    bodies = []
    for seed, (longer, shorter) in enumerate(SIZES * 8):
        size = (longer, shorter) if seed % 3 else (shorter, longer)
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 255, (23, 31, 3), dtype=np.uint8)).resize(size)
        fine = Image.fromarray(rng.integers(0, 60, (size[1] // 3, size[0] // 3, 3), dtype=np.uint8)).resize(size)
        out = BytesIO()
        Image.blend(coarse, fine, 0.3).save(out, "JPEG", quality=88)
        bodies.append(out.getvalue())
    return bodies


def serve(bodies: list[bytes], queue: multiprocessing.Queue[int]) -> None:
    async def answer(request: web.Request) -> web.Response:
        name = request.path.strip("/").partition(".")[0]
        if not name.isdigit():
            return web.Response(status=404)
        return web.Response(body=bodies[int(name) % len(bodies)], content_type="image/jpeg")

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        queue.put(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == "__main__":
    main()
