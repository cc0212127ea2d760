"""Made-up looks and image parts: hashes as `imagehash.phash` makes them, with half of their bits set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from waon_build.corpus import Corpus, Part
from waon_build.dedup.stage import Dedup
from waon_build.recipe import Recipe
from waon_build.records import PAIR, digest16, pair_id


@dataclass(frozen=True)
class Look:
    """What one image looks like. bits, bits256: the numbers of the bits that are set, half of all."""

    bits: frozenset[int]
    bits256: frozenset[int]

    @classmethod
    def of(cls, seed: int) -> Look:
        random = np.random.default_rng(seed)
        return cls(
            frozenset(random.choice(64, 32, replace=False).tolist()),
            frozenset(random.choice(256, 128, replace=False).tolist()),
        )

    def moved(self, by: int, by256: int, seed: int = 0) -> Look:
        """A look at these distances (even numbers)."""
        random = np.random.default_rng([seed, by, by256])
        return Look(_moved(self.bits, 64, by, random), _moved(self.bits256, 256, by256, random))

    @property
    def phash(self) -> str:
        return f"{sum(1 << bit for bit in self.bits):016x}"

    @property
    def phash256(self) -> str:
        return f"{sum(1 << bit for bit in self.bits256):064x}"


def _moved(bits: frozenset[int], width: int, by: int, random: np.random.Generator) -> frozenset[int]:
    assert by % 2 == 0
    out = random.choice(sorted(bits), by // 2, replace=False).tolist()
    into = random.choice(sorted(set(range(width)) - bits), by // 2, replace=False).tolist()
    return (bits - set(out)) | set(into)


def row(image: str, look: Look, caption: str = "猫", side: int = 100, page: str = "1", **other: Any) -> dict[str, Any]:
    """A row of an image part. image: a name for its bytes."""
    sha256 = digest16(image) * 4
    url = f"https://img.example.jp/{image}.jpg"
    page_url = f"https://example.jp/{page}.html"
    return {
        "pair_id": pair_id(sha256, caption),
        "candidate_id": digest16(url, caption, page_url),
        "url": url,
        "caption": caption,
        "page_url": page_url,
        "sha256": sha256,
        "phash": look.phash,
        "phash256": look.phash256,
        "original_width": side,
        "original_height": side,
        "size": 1000,
        "rights": [],
        **other,
    }


@dataclass
class Made:
    """A corpus with image parts."""

    corpus: Corpus
    frozen: set[str] = field(default_factory=set)
    others: int = 0
    look = staticmethod(Look.of)
    row = staticmethod(row)

    def fresh(self, url: str = "", frozen: Iterable[str] = ()) -> Made:
        """Another corpus, with nothing in it."""
        self.others += 1
        return Made(Corpus(url or f"{self.corpus.url}-{self.others}"), set(frozen))

    def part(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        with self.corpus.write("image", Part(name, name, "made by a test"), PAIR) as writer:
            for one in rows:
                writer.keep(one)
            writer.commit()

    def table(self, **dedup: Any) -> dict[str, dict[str, Any]]:
        """Run the stage; the rows of its table by pair_id, without which they are."""
        stage = Dedup(self.recipe(**dedup), frozen=lambda: self.frozen)
        [part] = stage.inputs(self.corpus)
        self.tally = stage.run(self.corpus, part)
        assert self.tally.rows.adds_up
        rows = self.corpus.read("dedup", "clusters").to_pylist()
        table = {one.pop("pair_id"): one for one in rows}
        assert len(table) == len(rows)
        return table

    def recipe(self, **dedup: Any) -> Recipe:
        return Recipe.model_validate(
            {
                "name": "made",
                "corpus": self.corpus.url,
                "sources": [{"kind": "table", "paths": ["pairs.csv"]}],
                "dedup": dedup,
                "runtime": {"workers": 2},
            }
        )


@pytest.fixture
def made(tmp_path: Any) -> Made:
    return Made(Corpus(str(tmp_path / "corpus")))
