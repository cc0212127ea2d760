"""Images per second: the fetch stage and img2dataset on one list of URLs, served on the loopback device.

    python benchmarks/fetch.py [--images FOLDER] [--urls 2000] [--img2dataset PYTHON]

Both write the same pictures: aspect kept, shortest side at most 512, never enlarged, JPEG at 90, with
the sha256 of what was served. Ours also checks robots.txt and tdmrep.json, counts colours, and takes
both perceptual hashes of every stored image. The server runs in a process of its own on the same
machine, so both pay for it alike. img2dataset (1.47) is optional: PYTHON is an interpreter that has it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path

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

IMG2DATASET = """
import json, sys, time
from img2dataset import download
began = time.perf_counter()
download(**json.loads(sys.argv[1]))
print("SECONDS", time.perf_counter() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="folder of pictures to serve (by default they are made)")
    parser.add_argument("--urls", type=int, default=2000, help="URLs on the list; pictures are served again and again")
    parser.add_argument("--img2dataset", metavar="PYTHON", help="an interpreter with img2dataset installed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="decoding processes of either")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bodies = folder_of_pictures(options.images) if options.images else made_pictures()
        queue: multiprocessing.Queue[int] = multiprocessing.Queue()
        server = multiprocessing.Process(target=serve, args=(bodies, queue), daemon=True)
        server.start()
        port = queue.get(timeout=60)
        urls = [f"http://127.0.0.1:{port}/{n}.jpg" for n in range(options.urls)]
        megabytes = sum(len(bodies[n % len(bodies)]) for n in range(options.urls)) / 1e6
        print(f"{len(urls)} URLs, {len(bodies)} pictures, {megabytes:.0f} MB served, {options.workers} workers")
        ours = fetch_stage(urls, f"{folder}/corpus", options.workers)
        if options.img2dataset:
            theirs = img2dataset(options.img2dataset, urls, folder, options.workers)
            print(f"ratio: {ours / theirs:.2f}")
        else:
            print("img2dataset: not run (give --img2dataset PYTHON, an interpreter that has it)")
        server.terminate()


def fetch_stage(urls: list[str], folder: str, workers: int) -> float:
    """Rows per second of our stage, its pool started beforehand as in a run of many parts."""
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
                "per_host_concurrency": 64,
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
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        before = time.process_time() + sum(dict(pool.map(warm, range(8 * workers))).values())
        stage = Fetch(recipe, pool)
        began = time.perf_counter()
        tallies = [stage.run(corpus, part) for part in stage.inputs(corpus)]
        seconds = time.perf_counter() - began
        processor = time.process_time() + sum(dict(pool.map(warm, range(8 * workers))).values()) - before
    return report("waon_build", sum(tally.rows.kept for tally in tallies), len(urls), seconds, processor)


def img2dataset(python: str, urls: list[str], folder: str, workers: int) -> float:
    """Images per second of img2dataset with the nearest settings."""
    pq.write_table(pa.table({"url": urls, "caption": [f"caption of {url}" for url in urls]}), f"{folder}/list.parquet")
    settings = {
        "url_list": f"{folder}/list.parquet",
        "input_format": "parquet",
        "url_col": "url",
        "caption_col": "caption",
        "output_format": "webdataset",
        "output_folder": f"{folder}/img2dataset",
        "processes_count": workers,
        "thread_count": 64,
        "number_sample_per_shard": max(1, len(urls) // workers),
        "image_size": 512,
        "resize_mode": "keep_ratio",
        "resize_only_if_bigger": True,
        "encode_quality": 90,
        "compute_hash": "sha256",
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
    stats = [json.loads(path.read_text()) for path in Path(f"{folder}/img2dataset").glob("*_stats.json")]
    # Its own clock, without the start of its processes.
    seconds = max(one["end_time"] for one in stats) - min(one["start_time"] for one in stats)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return report("img2dataset", sum(one["successes"] for one in stats), len(urls), seconds, processor)


def report(name: str, kept: int, of: int, seconds: float, processor: float) -> float:
    print(
        f"{name:12} {kept} of {of} images in {seconds:6.1f} s: {kept / seconds:7.1f} per second, "
        f"{1000 * processor / kept:6.1f} ms of processor each",
        flush=True,
    )
    return kept / seconds


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
    """JPEGs of smooth shapes and a little noise, with about the bytes per pixel of photographs."""
    bodies = []
    for seed, size in enumerate(SIZES * 8):
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
