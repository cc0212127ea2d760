"""A made corpus: pairs with generated pictures, laid down as the stages before the export do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import fsspec
import imagehash
import numpy as np
import pytest
from PIL import Image

from waon_build.corpus import Corpus, Part
from waon_build.export.release import Accepted
from waon_build.fetch.decode import Stored, decode
from waon_build.fetch.spool import ImageTar
from waon_build.recipe import Recipe
from waon_build.records import CLUSTER, IMAGE, PAIR, Evidence, digest16, pair_id

WORDS = ("夕暮れの東京駅", "京都の紅葉と寺", "朝市に並ぶ蟹", "雪の白川郷", "祭りの山車", "猫と縁側", "駅弁の釜飯")
ALLOWED = Evidence("robots_txt", "https://example.jp/robots.txt", "Allow: /", False)


@dataclass
class Made:
    """A corpus to export from. rows: its pairs, by pair_id. clusters: the rows of its dedup table."""

    recipe: Recipe
    corpus: Corpus
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    clusters: list[dict[str, Any]] = field(default_factory=list)

    def recluster(self) -> None:
        """Commit the dedup table again: `clusters` as they are now."""
        write_clusters(self)

    @property
    def accepted(self) -> list[Accepted]:
        return [Accepted(key, 2 + i % 2, 2 + i % 3 / 2, "ja", "") for i, key in enumerate(self.rows)]


def picture(number: int, size: tuple[int, int] = (64, 48), form: str = "jpg", **metadata: Any) -> bytes:
    """A picture of its own, cheap to make: a few random colours, enlarged. metadata: as Pillow writes it."""
    grid = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
    data = BytesIO()
    image.save(data, {"jpg": "JPEG", "webp": "WEBP", "png": "PNG"}[form], **metadata)
    return data.getvalue()


def make(
    url: str,
    samples: int = 12,
    *,
    parts: int = 2,
    form: str = "jpg",
    first: int = 0,
    change: Callable[[int, dict[str, Any]], None] | None = None,
    photographs: Sequence[bytes] = (),
    metadata: Mapping[str, Any] = MappingProxyType({}),
    **export: Any,
) -> Made:
    """A corpus at `url` of `samples` pairs in `parts` image parts. first: number of the first picture.
    change: may alter the row of each pair. photographs: real ones, decoded as the fetch stage does, instead
    of generated ones. metadata: that generated ones carry, as Pillow writes it. export: settings of the
    recipe's section."""
    settings = {"samples_per_shard": 5, "splits": {"train": 0.7, "validation": 0.3}, **export}
    recipe = Recipe.model_validate(
        {
            "name": "made",
            "corpus": url,
            "sources": [{"kind": "table", "paths": ["pairs.csv"]}],
            "fetch": {"contact": "https://example.org/waon", "format": form},
            "export": settings,
            "runtime": {"workers": 1},
        }
    )
    made = Made(recipe, Corpus(url))
    for part in range(parts):
        numbers = range(first + part, first + samples, parts)
        _make_part(made, f"g0001-{part:06d}", numbers, form, change, photographs, metadata)
    write_clusters(made)
    return made


def write_clusters(made: Made) -> None:
    """Commit the dedup table: `made.clusters` as they are now."""
    with made.corpus.write("dedup", Part("clusters", "", "x"), CLUSTER) as writer:
        for row in made.clusters:
            writer.keep(row)
        writer.commit()


def _make_part(
    made: Made,
    name: str,
    numbers: range,
    form: str,
    change: Callable[[int, dict[str, Any]], None] | None,
    photographs: Sequence[bytes],
    metadata: Mapping[str, Any],
) -> None:
    rows = []
    with made.corpus.write("fetch", Part(name, "", "x"), IMAGE) as writer:
        with writer.open_file("images", "tar") as file, closing(ImageTar(file)) as images:
            for number in numbers:
                row, data = _pair(number, form, metadata)
                if photographs:
                    data = _photograph(made, row, photographs[number])
                place = images.add(row["sha256"], form, data)
                row |= {"stored_in": name, "offset": place.offset, "size": place.size}
                if change:
                    change(number, row)
                rows.append(row)
        writer.commit()
    with made.corpus.write("image", Part(name, "", "x"), PAIR) as writer:
        for row in rows:
            writer.keep(row)
            made.rows[row["pair_id"]] = row
            made.clusters.append(
                {
                    "pair_id": row["pair_id"],
                    "image_part": name,
                    "cluster_id": digest16("cluster", row["sha256"]),
                    "canonical": True,
                    "reason": "",
                }
            )
        writer.commit()


def _photograph(made: Made, row: dict[str, Any], served: bytes) -> bytes:
    stored = decode(served, made.recipe.fetch)
    assert isinstance(stored, Stored), stored
    row |= {name: getattr(stored, name) for name in stored._fields if name in PAIR.names}
    row["pair_id"] = pair_id(row["sha256"], row["caption"])
    return stored.data


def _pair(number: int, form: str, metadata: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    width, height = 64 + number % 5, 48
    data = picture(number, (width, height), form, **metadata)
    stored = Image.open(BytesIO(data))
    caption = f"{WORDS[number % len(WORDS)]} {number}"
    url = f"https://img{number % 3}.example.jp/写真/{number}.jpg"
    page = f"https://example.jp/{number // 2}.html"
    row = {
        "candidate_id": digest16(url, caption, page),
        "url": url,
        "caption": caption,
        "caption_source": "alt",
        "page_url": page,
        "page_title": "旅の記録",
        "page_language": "ja",
        "context": "",
        "licence_url": "",
        "rights": [ALLOWED],
        "source": f"pairs.csv@{number}",
        "captured_at": "",
        "sha256": hashlib.sha256(b"served" + data).hexdigest(),
        "phash": str(imagehash.phash(stored)),
        "phash256": str(imagehash.phash(stored, hash_size=16)),
        "width": width,
        "height": height,
        "original_width": width * 2,
        "original_height": height * 2,
        "format": form,
    }
    row["pair_id"] = pair_id(row["sha256"], caption)
    return row, data


@pytest.fixture
def make_corpus() -> Callable[..., Made]:
    """`make()`: a corpus of generated pairs at an address."""
    return make


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Twelve pairs in two parts, in a local folder."""
    return make(str(tmp_path / "corpus"))


@pytest.fixture
def memory() -> Iterator[str]:
    """An object store: the address of an empty place in it."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield "memory://bucket/corpus"
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.fixture
def digests() -> Callable[[str], dict[str, str]]:
    """File -> sha256 of a release in a local folder."""
    return lambda folder: {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(Path(folder).iterdir())
    }
