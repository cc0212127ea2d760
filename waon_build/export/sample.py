"""What a sample says of itself: the fields of `KEY.json` and of the Parquet row, in one list.

Hugging Face `datasets` infers the types of a tar from its first five samples, and drops or cuts off
whatever does not fit them later. So every sample has every field, always of one type: nothing is null,
no list is empty, a float always has a decimal point. What is not known is "".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from waon_build.records import EVIDENCE, Evidence


class Field(NamedTuple):
    """One field of a sample. what: its meaning, for the card and the Croissant description."""

    name: str
    type: pa.DataType
    what: str


FIELDS = (
    Field("pair_id", pa.string(), "The sample's key: 16 hex digits over the image's sha256 and the caption."),
    Field("url", pa.string(), "Where the image was found."),
    Field("caption", pa.string(), "The caption, as written on the page."),
    Field("caption_source", pa.string(), "Where the caption stood: alt, figcaption, title, table or contribution."),
    Field("page_url", pa.string(), "The page that shows the image."),
    Field("page_title", pa.string(), "The title of that page."),
    Field("page_language", pa.string(), "The language of that page (BCP 47)."),
    Field("context", pa.string(), "Text near the image on that page."),
    Field("language", pa.string(), "The language of the caption (BCP 47)."),
    Field("licence_url", pa.string(), "The licence that the page links to."),
    Field("rights", pa.string(), "What page, site and image said about their use: a JSON list of statements."),
    Field("width", pa.int64(), "Of the stored image, pixels."),
    Field("height", pa.int64(), "Of the stored image, pixels."),
    Field("original_width", pa.int64(), "Of the image served, pixels."),
    Field("original_height", pa.int64(), "Of the image served, pixels."),
    Field("sha256", pa.string(), "Of the bytes served."),
    Field("phash", pa.string(), "imagehash.phash of the stored image: 16 hex digits."),
    Field("phash256", pa.string(), "imagehash.phash(hash_size=16) of the stored image: 64 hex digits."),
    Field("cluster_id", pa.string(), "Samples of one cluster show the same picture; a cluster is in one split."),
    Field("annotations", pa.int64(), "Native speakers' annotations behind the answers that follow."),
    Field("match", pa.float64(), "Median answer to whether the caption says what the picture shows, 0 to 3."),
    Field("culture", pa.string(), "Native speakers' answer on the culture that the picture belongs to."),
    Field("category", pa.string(), "Native speakers' answer on what kind of picture it is."),
    Field("posterior", pa.float64(), "How sure they are, taken together, that the caption fits: 0 to 1 (Dawid-Skene)."),
    Field("native_caption", pa.string(), "A caption that a native speaker wrote for it, and lets be published."),
    Field("source", pa.string(), "Where the candidate was read: file and offset or row."),
    Field("captured_at", pa.string(), "When the page was captured, ISO 8601 UTC."),
)
"""Names are WAON's published columns where it has them. Scores that were not measured are not fields."""

PLACES = (
    Field("split", pa.string(), "The split that the sample is in."),
    Field("shard", pa.string(), "The tar that holds it."),
    Field("offset", pa.int64(), "Of the image's bytes in that tar."),
    Field("size", pa.int64(), "Of the image's bytes."),
    Field("format", pa.string(), "Of the stored image: jpg, webp or png."),
)
"""What only the Parquet row says."""

SAMPLE = pa.schema(
    [(field.name, field.type) for field in PLACES]
    + [(field.name, EVIDENCE if field.name == "rights" else field.type) for field in FIELDS]
)
"""A row of the Parquet file beside a shard. `rights` is a list of statements here, and text in `KEY.json`."""

IMAGE_SUFFIXES = ("jpg", "webp", "png")
PYTHON_TYPES: dict[pa.DataType, type] = {pa.string(): str, pa.int64(): int, pa.float64(): float}


def to_json(row: Mapping[str, Any]) -> bytes:
    """The bytes of `KEY.json` for one row of the Parquet file. The same row gives the same bytes."""
    sample = {field.name: row[field.name] for field in FIELDS}
    statements = [{name: statement[name] for name in Evidence._fields} for statement in row["rights"]]
    sample["rights"] = json.dumps(statements, ensure_ascii=False)
    return json.dumps(sample, ensure_ascii=False, allow_nan=False).encode()


def misfits(sample: Any) -> list[str]:
    """What keeps `sample`, parsed from a `KEY.json`, from being like every other: in words, or nothing."""
    if not isinstance(sample, dict):
        return ["is not a JSON object"]
    names = [field.name for field in FIELDS]
    if list(sample) != names:
        wrong = sorted(set(sample) ^ set(names)) or ["their order"]
        return [f"has other fields than its siblings: {', '.join(map(str, wrong))}"]
    return [
        f"{field.name} is {type(sample[field.name]).__name__}, not {PYTHON_TYPES[field.type].__name__}"
        for field in FIELDS
        if type(sample[field.name]) is not PYTHON_TYPES[field.type]
    ]
