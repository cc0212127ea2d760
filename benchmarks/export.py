"""How fast a release is written and read again, and how many bytes it takes beside webdataset's own writer.

    python benchmarks/export.py                  # 2,000 pictures, one process and all cores
    python benchmarks/export.py --rows 1000000   # the selection alone: joins and order, no pictures

Makes its own corpus of generated pictures (512 pixels on the shortest side) in a temporary folder; prints
one JSON object. Machine and versions are in it: figures without them mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import PIL
import pyarrow as pa
import webdataset
from PIL import Image

from waon_build.corpus import Corpus, Part
from waon_build.export.release import Accepted, export
from waon_build.export.selection import select
from waon_build.export.verify import verify
from waon_build.recipe import Recipe
from waon_build.records import CLUSTER, IMAGE, PAIR, digest16, pair_id
from waon_build.rights.tombstones import Tombstones

PARTS = 4
DISTINCT = 64
"""Pictures that are drawn; the rest repeat them under other captions."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--rows", type=int, help="measure the selection alone, over this many pairs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = selection_figures(folder, options.rows) if options.rows else figures_of(folder, options.samples)
    machine = {"python": platform.python_version(), "pyarrow": pa.__version__, "pillow": PIL.__version__}
    print(json.dumps({**figures, "cores": os.cpu_count(), **machine}, indent=1))


def figures_of(folder: str, samples: int) -> dict[str, Any]:
    recipe, corpus, accepted = make_corpus(f"{folder}/corpus", samples, pictures())
    figures: dict[str, Any] = {"samples": samples}
    cores = os.cpu_count() or 1
    for workers in sorted({1, cores}):
        runtime = recipe.runtime.model_copy(update={"workers": workers})
        seconds, release = timed(
            export, recipe.model_copy(update={"runtime": runtime}), corpus, accepted, name=f"w{workers}"
        )
        figures[f"export_samples_per_second_{workers}_workers"] = round(samples / seconds)
        seconds, report = timed(verify, release.url, workers=workers)
        assert report.ok, report.failures[:3]
        figures[f"verify_samples_per_second_{workers}_workers"] = round(samples / seconds)
    tars = sum(path.stat().st_size for path in Path(release.url).glob("*.tar"))
    figures["bytes_per_sample"] = round(tars / samples)
    figures["release_bytes"] = sum(path.stat().st_size for path in Path(release.url).iterdir())
    seconds, size = timed(write_with_webdataset, release.url, f"{folder}/peer.tar")
    figures["webdataset_tarwriter_samples_per_second"] = round(samples / seconds)
    figures["webdataset_tarwriter_bytes_per_sample"] = round(size / samples)
    return figures


def selection_figures(folder: str, rows: int) -> dict[str, Any]:
    recipe, corpus, accepted = make_corpus(f"{folder}/corpus", rows, None)
    Path(folder, "work").mkdir()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds, selection = timed(select, recipe, corpus, accepted, Tombstones([]), f"{folder}/work")
    assert selection.counts.kept == rows
    return {
        "rows": rows,
        "selection_rows_per_second": round(rows / seconds),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "peak_memory_mib_before": before >> 10,
    }


def timed(call: Any, *arguments: Any, **named: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call(*arguments, **named)
    return time.perf_counter() - started, result


def write_with_webdataset(release: str, path: str) -> int:
    """Write the same samples with webdataset's TarWriter, as it is by default."""
    tars = sorted(str(tar) for tar in Path(release).glob("*.tar"))
    with webdataset.TarWriter(path) as writer:
        for sample in webdataset.WebDataset(tars, shardshuffle=False):
            writer.write({name: value for name, value in sample.items() if name not in ("__url__", "__local_path__")})
    return Path(path).stat().st_size


def pictures() -> list[tuple[bytes, dict[str, Any]]]:
    """Pictures with the grain of photographs (about 100 KB each), and their measures."""
    made = []
    for seed in range(DISTINCT):
        random = np.random.default_rng(seed)
        coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((683, 512), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = random.normal(0, 6, smooth.shape).astype(np.int16)
        data = BytesIO()
        Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(data, "JPEG", quality=90)
        stored = Image.open(data)
        hashes = {"phash": str(imagehash.phash(stored)), "phash256": str(imagehash.phash(stored, hash_size=16))}
        made.append((data.getvalue(), {**hashes, "width": 683, "height": 512}))
    return made


def make_corpus(
    url: str, samples: int, images: list[tuple[bytes, dict[str, Any]]] | None
) -> tuple[Recipe, Corpus, list[Accepted]]:
    """A corpus as the stages before the export leave it. images: None for rows without any."""
    settings = {"name": "bench", "corpus": url, "sources": [{"kind": "table", "paths": ["bench.csv"]}]}
    recipe = Recipe.model_validate({**settings, "export": {"samples_per_shard": 500 if images else 10_000}})
    corpus = Corpus(url)
    clusters = []
    for number in range(PARTS):
        name = f"g0001-{number:06d}"
        offsets = []
        with corpus.write("fetch", Part(name, "", "x"), IMAGE) as writer:
            with writer.open_file("images", "tar") as tar:
                for data, _ in images or ():
                    offsets.append(tar.tell())
                    tar.write(data)
            writer.commit()
        with corpus.write("image", Part(name, "", "x"), PAIR) as writer:
            for index in range(number, samples, PARTS):
                row = pair(index)
                if images:
                    data, measures = images[index % DISTINCT]
                    row |= {**measures, "stored_in": name, "offset": offsets[index % DISTINCT], "size": len(data)}
                writer.keep(row)
                clusters.append({"pair_id": row["pair_id"], "image_part": name, "cluster_id": row["pair_id"]})
            writer.commit()
    with corpus.write("dedup", Part("clusters", "", "x"), CLUSTER) as writer:
        for entry in clusters:
            writer.keep({**entry, "canonical": True, "reason": ""})
        writer.commit()
    return recipe, corpus, [Accepted(entry["pair_id"], 2, 2.5, "ja", "") for entry in clusters]


def pair(number: int) -> dict[str, Any]:
    """A row of as many bytes as real ones have."""
    caption = f"夕暮れの東京駅前を歩く人々と赤煉瓦の駅舎 {number}"
    url = f"https://img{number % 97}.example.jp/{digest16(str(number))}/photo.jpg"
    sha256 = f"{digest16('sha', str(number)) * 4}"
    return {
        "candidate_id": digest16(url, caption),
        "url": url,
        "caption": caption,
        "caption_source": "figcaption",
        "page_url": f"https://example.jp/{number // 3}.html",
        "page_title": "旅の記録",
        "page_language": "ja",
        "context": "駅前の広場は夕方になると帰りを急ぐ人で賑わう。" * 4,
        "licence_url": "https://creativecommons.org/licenses/by/4.0/",
        "rights": [
            {"signal": "robots_txt", "url": "https://example.jp/robots.txt", "value": "Allow: /", "refuses": False}
        ],
        "source": f"CC-MAIN-20240220231045-{number % 9:05d}.warc.gz@{number * 517}",
        "captured_at": "2024-02-20T23:10:45Z",
        "sha256": sha256,
        "phash": digest16("phash", str(number)),
        "phash256": sha256,
        "width": 683,
        "height": 512,
        "original_width": 1366,
        "original_height": 1024,
        "format": "jpg",
        "stored_in": "",
        "offset": 0,
        "size": 0,
        "pair_id": pair_id(sha256, caption),
    }


if __name__ == "__main__":
    main()
