"""How fast tasks go out to other tools, and what they answered comes in.

    python benchmarks/connectors.py                    # 100,000 tasks, 2,000 pictures, 20,000 judgements
    python benchmarks/connectors.py --tasks 1000000

Label Studio 1.23 itself took 200 s to export 100,000 tasks and 28 s to import them (PostgreSQL, 4 cores). Makes
its own queue and corpus in a temporary folder; prints one JSON object. Machine and versions are in it: figures
without them mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy

from waon_build.annotation import database, queue
from waon_build.annotation.connectors import labelstudio, potato
from waon_build.annotation.connectors.campaign import Campaign
from waon_build.annotation.connectors.files import import_judgements
from waon_build.annotation.connectors.handing_out import hand_out
from waon_build.annotation.connectors.tools import Tool
from waon_build.annotation.guideline import load
from waon_build.annotation.models import Kind
from waon_build.annotation.routing import place, put
from waon_build.corpus import Corpus, Part
from waon_build.recipe import AnnotationSettings
from waon_build.records import IMAGE

PICTURE = os.urandom(60_000)
"""As large as a photograph of 512 pixels on its shortest side."""
PARTS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--judgements", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = figures_of(Path(folder), options.tasks, options.pictures, options.judgements)
    machine = {"python": platform.python_version(), "sqlalchemy": sqlalchemy.__version__, "cores": os.cpu_count()}
    print(json.dumps({**figures, **machine}, indent=1))


def figures_of(folder: Path, tasks: int, pictures: int, judgements: int) -> dict[str, Any]:
    corpus = make_corpus(folder, pictures)
    engine = database.connect(f"sqlite:///{folder}/annotation.db")
    put(engine, Kind.NORMAL, make_pairs(tasks, pictures), 2, datetime.now(UTC))
    place(engine, 2)
    campaign = Campaign("benchmark", 2, load("ja"))
    figures: dict[str, Any] = {"tasks": tasks}
    for tool, write_tasks in ((Tool.LABEL_STUDIO, labelstudio.write_tasks), (Tool.POTATO, potato.write_tasks)):
        (folder / tool).mkdir()
        begun = time.perf_counter()
        with engine.connect() as connection:
            write_tasks(folder / tool, campaign, queue.waiting(connection))
        figures[f"{tool}_export_seconds_without_pictures"] = round(time.perf_counter() - begun, 2)
    begun = time.perf_counter()
    with engine.connect() as connection:
        few = (task for task in queue.waiting(connection) if int(task.pair_id, 16) < pictures)
        made = hand_out(Tool.POTATO, campaign, few, folder / "pictures", corpus.image_bytes)
    figures["pictures_copied_per_second"] = round(made.pictures / (time.perf_counter() - begun))
    exported = folder / "export.json"
    exported.write_text(json.dumps(answered(folder / Tool.LABEL_STUDIO / "tasks.json", judgements // 2)))
    for what in ("taken", "already_there"):
        begun = time.perf_counter()
        counts = import_judgements(engine, str(exported), AnnotationSettings())
        figures[f"judgements_per_second_{what}"] = round(counts.read / (time.perf_counter() - begun))
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    engine.dispose()
    return figures


def make_corpus(folder: Path, pictures: int) -> Corpus:
    """A corpus with nothing but the tars that pictures are in."""
    corpus = Corpus(str(folder / "corpus"))
    for part in range(PARTS):
        with corpus.write("fetch", Part(f"g{part}", "", "x"), IMAGE) as writer:
            with writer.open_file("images", "tar") as tar:
                for _ in range(pictures // PARTS + 1):
                    tar.write(PICTURE)
            writer.commit()
    return corpus


def make_pairs(tasks: int, pictures: int) -> Iterator[dict[str, Any]]:
    for number in range(tasks):
        yield {
            "pair_id": f"{number:016x}",
            "cluster_id": f"{number:016x}",
            "url": f"https://images.example/{number}.jpg",
            "caption": f"第{number}の門松、正月の風景を写した写真です",
            "caption_source": "alt",
            "page_url": f"https://site{number % 100}.example/{number}.html",
            "page_title": "正月の風景",
            "stored_in": f"g{number % PARTS}",
            "offset": number // PARTS % max(1, pictures // PARTS) * len(PICTURE),
            "size": len(PICTURE),
            "format": "jpg",
            "width": 768,
            "height": 512,
        }


def answered(tasks: Path, count: int) -> list[dict[str, Any]]:
    """The first tasks as Label Studio exports them when two people have answered."""
    result = [
        {"from_name": name, "to_name": "picture", "type": "choices", "value": {"choices": [word]}}
        for name, word in (("match", "3"), ("culture", "specific"), ("category", "event"))
    ]
    annotations = [
        {"completed_by": who, "result": result, "updated_at": "2026-11-25T09:00:00Z", "lead_time": 6.5}
        for who in (1, 2)
    ]
    known = json.loads(tasks.read_text(encoding="utf-8"))[:count]
    return [{"id": number, **task, "annotations": annotations} for number, task in enumerate(known)]


if __name__ == "__main__":
    main()
