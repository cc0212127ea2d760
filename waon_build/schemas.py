"""How what flows rests in Parquet: the Arrow schemas of the records, field by field those of `records.py`.

Apart from them, because Arrow takes 30 MB and not every process reads Parquet: the server of annotators does
not. `records` hands these names on.
"""

from __future__ import annotations

import pyarrow as pa

EVIDENCE = pa.list_(
    pa.struct([("signal", pa.string()), ("url", pa.string()), ("value", pa.string()), ("refuses", pa.bool_())])
)

CANDIDATE = pa.schema(
    [
        ("candidate_id", pa.string()),
        ("url", pa.string()),
        ("caption", pa.string()),
        ("caption_source", pa.string()),
        ("page_url", pa.string()),
        ("page_title", pa.string()),
        ("page_language", pa.string()),
        ("context", pa.string()),
        ("licence_url", pa.string()),
        ("rights", EVIDENCE),
        ("source", pa.string()),
        ("captured_at", pa.string()),
    ]
)

IMAGE = pa.schema(
    [
        ("url", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("retryable", pa.bool_()),
        ("attempts", pa.int32()),
        ("http_status", pa.int32()),
        ("final_url", pa.string()),
        ("sha256", pa.string()),
        ("phash", pa.string()),
        ("phash256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("original_width", pa.int32()),
        ("original_height", pa.int32()),
        ("format", pa.string()),
        ("original_format", pa.string()),
        ("served_bytes", pa.int64()),
        ("colours", pa.int32()),
        ("deviation", pa.float64()),
        ("frames", pa.int32()),
        ("rights", EVIDENCE),
        ("fetched_at", pa.string()),
        ("stored_in", pa.string()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
    ]
)

IMAGE_IN_PAIR = (
    "sha256",
    "phash",
    "phash256",
    "width",
    "height",
    "original_width",
    "original_height",
    "format",
    "stored_in",
    "offset",
    "size",
)
"""The image columns a pair carries along."""

PAIR = pa.schema(
    [pa.field("pair_id", pa.string())]
    + [CANDIDATE.field(name) for name in CANDIDATE.names]
    + [IMAGE.field(name) for name in IMAGE_IN_PAIR]
)
"""A candidate that passed, joined to its image. `rights` holds the evidence of both."""

CLUSTER = pa.schema(
    [
        ("pair_id", pa.string()),
        ("image_part", pa.string()),
        ("cluster_id", pa.string()),
        ("canonical", pa.bool_()),
        ("reason", pa.string()),
    ]
)
"""What dedup says of each distinct pair. image_part: the part of the image stage that holds its row.
cluster_id: the `pair_id` of the cluster's best pair (which is kept, unless it is withdrawn or in an evaluation
set). canonical: the pair is kept; otherwise `reason` says why not."""
