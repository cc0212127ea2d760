"""What the scheduler costs, and what more workers bring: a hundred parts of the CPU-bound stages, made each way.

`plain` hands the parts to the same processes in a plain loop, without Prefect: what the flow takes longer is its
overhead. `1 worker` against all cores is what they bring. Dask and Ray start a cluster of as many workers here, which
is counted in. A part here is small (`--pages`), so what a part costs is also set against one of Common Crawl's WARC
files, which has about 35,000 pages.

Rounds are interleaved, and the median counts. Prefect's server is started before anything is timed.

    python benchmarks/flow.py [--parts 100] [--pages 300] [--rounds 3] [--engines local dask ray]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_LOGGING_SERVER_LEVEL", "CRITICAL")

from extract import write_pages
from prefect import flow

from flows import runtime, stages
from waon_build import pipeline
from waon_build.recipe import Recipe

CORES = os.cpu_count() or 1
CPU_STAGES = ("extract", "text")
WHOLE = 35_000
"""Pages of one of Common Crawl's WARC files (2.7 billion pages in 80,000 to 100,000 of them)."""


def recipe(folder: Path, parts: int, **running: Any) -> Recipe:
    """A recipe of `parts` WARC files, with an empty corpus."""
    corpus = folder / "corpus"
    shutil.rmtree(corpus, ignore_errors=True)
    source = {"kind": "warc", "paths": [str(folder / "*.warc.gz")]}
    fields = {"name": "bench", "corpus": str(corpus), "sources": [source], "runtime": running}
    made = Recipe.model_validate(fields)
    pipeline.open_corpus(made).create()
    return made


def plain(given: Recipe) -> float:
    """Seconds of a plain loop over the same processes."""
    corpus = pipeline.open_corpus(given)
    begun = time.perf_counter()
    with runtime.Workers(given.runtime.workers) as workers:
        for stage in pipeline.stages(given):
            if stage.name in CPU_STAGES:
                parts, _ = pipeline.begin(stage, corpus)
                made = [workers.submit(pipeline.run_part, given, stage.name, part) for part in parts]
                for one in made:
                    one.result()
    return time.perf_counter() - begun


@flow(name="bench", task_runner=stages.THREADS, persist_result=False)
def timed(given: dict[str, Any]) -> float:
    """Seconds of the stages in a flow."""
    begun = time.perf_counter()
    stages.run_stages(Recipe.model_validate(given), CPU_STAGES)
    return time.perf_counter() - begun


def in_flow(given: Recipe) -> float:
    return timed(given.model_dump())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    arguments.add_argument("--parts", type=int, default=100)
    arguments.add_argument("--pages", type=int, default=300)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--engines", nargs="*", default=["dask", "ray"], choices=["dask", "ray"])
    given = arguments.parse_args()
    ways: dict[str, tuple[Callable[[Recipe], float], dict[str, Any]]] = {
        f"plain, {CORES} workers": (plain, {"workers": CORES}),
        f"flow, {CORES} workers": (in_flow, {"workers": CORES}),
        "flow, 1 worker": (in_flow, {"workers": 1}),
        **{f"flow, {engine}": (in_flow, {"engine": engine, "workers": CORES}) for engine in given.engines},
    }
    print(f"{CORES} cores; {given.parts} parts of {given.pages} pages, stages {' and '.join(CPU_STAGES)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pages(folder / "0.warc.gz", given.pages, japanese_every=2, paragraphs=60, images=4)
        for number in range(1, given.parts):
            os.link(folder / "0.warc.gz", folder / f"{number}.warc.gz")
        in_flow(recipe(folder, given.parts, workers=CORES))  # starts Prefect's server, and warms every cache
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(given.rounds):
            for way, (run, running) in ways.items():
                seconds[way].append(run(recipe(folder, given.parts, **running)))
    took = {way: statistics.median(found) for way, found in seconds.items()}
    for way, median in took.items():
        print(f"{way:18} {median:7.2f} s  ({min(seconds[way]):.2f} to {max(seconds[way]):.2f})")
    bare, flowing, alone = (took[way] for way in list(ways)[:3])
    made = given.parts * len(CPU_STAGES)
    print(f"overhead of the flow: {flowing / bare - 1:+.1%}, {1000 * (flowing - bare) / made:.0f} ms a part")
    print(f"  of a run over as many whole WARC files: {(flowing - bare) / (bare * WHOLE / given.pages):.2%}")
    print(f"{CORES} workers are {alone / flowing:.2f} times as fast as 1")


if __name__ == "__main__":
    main()
